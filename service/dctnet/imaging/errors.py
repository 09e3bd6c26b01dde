"""What can be wrong with a picture; each message is one printable sentence."""


class PictureError(Exception):
    """The picture cannot be used."""


class UnsupportedFormat(PictureError):
    """The bytes are no JPEG, PNG, WebP or AVIF picture."""


class BrokenPicture(PictureError):
    """The bytes start like a picture of an allowed format but cannot be decoded."""


class TooManyPixels(PictureError):
    """The header announces more pixels than the limit."""


class TooLongForFormat(PictureError):
    """A side is longer than the format of the answer can hold."""
