"""Model errors."""


class ModelError(Exception):
    """A model is unknown, missing, damaged, or cannot be fetched.

    The message is always one printable line.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        super().__init__("".join(c if c.isprintable() else "?" for c in line))


def os_error_reason(error: OSError) -> str:
    """Return the operating system's message for an error, without number and path."""
    return error.strerror or str(error) or type(error).__name__
