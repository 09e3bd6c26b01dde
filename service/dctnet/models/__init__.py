"""Model folders: styles, fetching, verification, and the shipped styles."""
