"""Model folders: styles, fetching, verifying, and the demo model that ships with the package."""
