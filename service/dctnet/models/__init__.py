"""Model folders: styles, fetching, verification, and the bundled demo model."""
