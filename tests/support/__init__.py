"""What several tests share: upstream's own code, and the pictures that both are given."""
