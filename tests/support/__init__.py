"""What several tests share: upstream's own code, and the images that both are given."""
