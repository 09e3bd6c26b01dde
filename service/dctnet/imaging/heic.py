"""Decoding of HEIC by libheif and libde265, which are optional: the package pi-heif."""

from PIL import Image


def prepare() -> None:
    """Import libheif, before files are forbidden; raise ImportError."""
    from pi_heif import options

    # The image itself is enough. libde265 has one thread nevertheless.
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    options.DECODE_THREADS = 0


def load(data: bytes) -> Image.Image:
    """Decode the primary image, cropped, turned and mirrored, with at most 8 bits per colour.

    With hostile input, libheif raises various exceptions.
    """
    prepare()
    from pi_heif import open_heif

    file = open_heif(data, convert_hdr_to_8bit=True)
    image = file[file.primary_index]
    pixels = image.data
    # A copy, since the pixels are freed with the file. Its own conversion also rewrites metadata.
    return Image.frombytes(image.mode, image.size, pixels, "raw", image.mode, image.stride)
