"""The engine against the real upstream pipeline, on whole images."""
