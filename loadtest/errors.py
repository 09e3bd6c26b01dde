"""What keeps a load from being sent at all."""


class LoadError(Exception):
    """The load cannot be sent as planned; the message is one sentence on what to do."""
