"""Conversion of a model from the upstream format, to serve it without TensorFlow.

Needs the `reference` extra. The server does not import it.
"""
