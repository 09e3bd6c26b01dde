"""ICC profiles, made of sRGB's."""

from PIL import ImageCms


def srgb() -> bytes:
    return _undated(ImageCms.createProfile("sRGB"))


def lab() -> bytes:
    return _undated(ImageCms.createProfile("LAB"))


def _undated(profile: ImageCms.core.CmsProfile) -> bytes:
    """Return a profile without its date, so that it is the same in every run."""
    dated = ImageCms.ImageCmsProfile(profile).tobytes()
    return dated[:24] + bytes(12) + dated[36:]


def red_and_blue_exchanged() -> bytes:
    """Return sRGB with red and blue exchanged, under another name."""
    exchanged = srgb().replace("sRGB".encode("utf-16-be"), "sBGR".encode("utf-16-be"))
    for old, new in ((b"rXYZ", b"----"), (b"bXYZ", b"rXYZ"), (b"----", b"bXYZ")):
        exchanged = exchanged.replace(old, new)
    return exchanged


def linear_grey() -> bytes:
    """Return a profile of grey whose values are amounts of light."""
    white = srgb()[_tag(b"wtpt")]
    curve = b"curv" + bytes(8)  # Of no points, which means none.
    tags = b"".join(
        name + (128 + 4 + 24 + at).to_bytes(4) + size.to_bytes(4)
        for name, at, size in ((b"wtpt", 0, len(white)), (b"kTRC", len(white), len(curve)))
    )
    body = (2).to_bytes(4) + tags + white + curve
    header = srgb()[4:16] + b"GRAY" + srgb()[20:128]
    return (len(body) + 128).to_bytes(4) + header + body


def _tag(name: bytes) -> slice:
    at = srgb().index(name, 128)
    start, size = (int.from_bytes(srgb()[at + n : at + n + 4]) for n in (4, 8))
    return slice(start, start + size)
