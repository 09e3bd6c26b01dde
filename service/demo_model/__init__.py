"""How the demo model is made: a maintainer's scripts, no part of the package."""
