"""Equivalence of the engine and the real upstream pipeline, on whole images."""
