"""Scripts for maintainers that build the demo model; not part of the package."""
