"""Image errors. Each message is one printable sentence."""


class ImageError(Exception):
    """The image cannot be used; base class."""


class UnsupportedFormat(ImageError):
    """The bytes are not a JPEG, PNG, WebP or AVIF image."""


class DamagedImage(ImageError):
    """The bytes start like an image of an allowed format but cannot be decoded."""


class TooManyPixels(ImageError):
    """The header announces more pixels than the limit."""


class TooLongForFormat(ImageError):
    """A side is longer than the output format allows."""
