"""Privacy: metadata of an image is in no response, file, log or metric."""

import secrets
import stat
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from tests.server.conftest import post
from tests.support.polling import BOUND_S
from tests.support.shipped import COMIC

SHARED_MEMORY = Path("/dev/shm")
CARRIED = {"comment", "exif", "icc_profile", "photoshop", "xmp", "XML:com.adobe.xmp"}


@pytest.fixture
def marker() -> bytes:
    """Bytes that are in no other file."""
    return secrets.token_hex(16).encode()


def images(marker: bytes) -> Iterator[bytes]:
    """An image of each format, with the marker wherever it may carry something."""
    image = Image.new("RGB", (64, 48), (200, 120, 40))
    words = marker.decode()
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = exif[ExifTags.Base.Artist] = words
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{words}</x:xmpmeta>".encode()
    text = PngInfo()
    text.add_text("Comment", words)
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    for format, options in (
        ("JPEG", {"exif": exif, "xmp": xmp, "comment": marker, "icc_profile": marker}),
        ("PNG", {"exif": exif, "pnginfo": text}),
        ("WEBP", {"exif": exif, "xmp": xmp}),
        ("AVIF", {"exif": exif, "xmp": xmp}),
    ):
        data = BytesIO()
        image.save(data, format, **options)
        assert marker in data.getvalue(), format
        yield data.getvalue()


def files_with(marker: bytes, places: list[Path], pid: int) -> list[Path]:
    """The files in folders that hold the marker, and those without a name that a process has."""
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    files += [
        path
        for path in Path(f"/proc/{pid}/fd").iterdir()
        if path.exists() and stat.S_ISREG(path.stat().st_mode)
    ]
    return [path for path in files if marker in path.read_bytes()]


@pytest.mark.promise("Privacy: metadata of an image is in no response, file, log or metric")
def test_image_metadata_is_in_no_response_file_log_or_metric(start, tmp_path, marker):
    home = tmp_path / "home"
    home.mkdir()
    server = start(COMIC, TMPDIR=home, HOME=home, XDG_CACHE_HOME=home)
    server.wait_for(200)
    sent = 0
    for data in images(marker):
        for format in "png", "jpeg", "webp":
            response = post(server, data, f"?format={format}")
            assert response.status_code == 200
            assert marker not in response.content
            with Image.open(BytesIO(response.content)) as cartoon:
                assert not dict(cartoon.getexif())
                assert not CARRIED & cartoon.info.keys()
            sent += 1
        form = {"file": (f"{marker.decode()}.png", data)}
        response = requests.post(f"{server.url}/upload", files=form, timeout=BOUND_S)
        assert response.status_code == 200
        assert marker not in response.content
        sent += 1
    # Rejected requests too: a broken image, and a form without an image.
    for body in {"data": data[: len(data) // 2]}, {"files": {"photo": (marker, marker)}}:
        response = requests.post(f"{server.url}/v1/cartoons", timeout=BOUND_S, **body)
        assert 400 <= response.status_code < 500
        assert marker not in response.content
        sent += 1
    server.logged(sent)
    metrics = requests.get(f"{server.management}/metrics", timeout=BOUND_S).content
    assert marker not in metrics

    places = [tmp_path, SHARED_MEMORY]
    assert files_with(marker, places, server.worker()) == []
    left = home / "left"
    left.write_bytes(b"before " + marker)
    assert files_with(marker, places, server.worker()) == [left]
