"""What can be wrong with an image; each message is one printable sentence."""


class ImageError(Exception):
    """The image cannot be used."""


class UnsupportedFormat(ImageError):
    """The bytes are no JPEG, PNG, WebP or AVIF image."""


class DamagedImage(ImageError):
    """The bytes start like an image of an allowed format but cannot be decoded."""


class TooManyPixels(ImageError):
    """The header announces more pixels than the limit."""


class TooLongForFormat(ImageError):
    """A side is longer than the format of the answer can hold."""
