"""What can be wrong with a model, said to the person who can put it right."""


class ModelError(Exception):
    """A model is unknown, missing, damaged or cannot be fetched.

    The message is one printable line, whatever the names and answers that went into it.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        super().__init__("".join(c if c.isprintable() else "?" for c in line))


def os_error_reason(error: OSError) -> str:
    """Return the system's own words for an error, without the number and the path."""
    return error.strerror or str(error) or type(error).__name__
