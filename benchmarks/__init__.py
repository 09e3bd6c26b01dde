"""Figures that the documentation quotes, by scripts that anyone can run."""
