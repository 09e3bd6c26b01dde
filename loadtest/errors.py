"""Errors of the load client."""


class LoadError(Exception):
    """The plan cannot be run; the message is one sentence with the remedy."""
