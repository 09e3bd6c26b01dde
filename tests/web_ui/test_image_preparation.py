"""Image preparation: the page sends a photo at the service's working size."""

import random
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dctnet.engine.geometry import working_size
from tests.support.browser import Browser
from tests.support.encoded_images import encoded, gradient
from tests.web_ui.conftest import PORTRAIT
from tests.web_ui.stand_in import StandIn

EXIF_MARKER = b"where-and-when-it-was-taken"


def sent_body(stand_in: StandIn, browser: Browser, path: Path) -> bytes:
    """Choose a file and return the body that the server receives."""
    browser.open(stand_in.url)
    browser.choose_file(path)
    browser.wait_for_state("done", "failed", "retryable")
    (received,) = stand_in.received
    return received


def test_large_photo_is_resized_upright_without_metadata(stand_in, browser, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # Rotated by 90 degrees.
    exif[0x010E] = EXIF_MARKER.decode()
    portrait = Image.open(PORTRAIT).resize((2000, 1500), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).integers(-9, 10, (1500, 2000, 3), np.int16)
    photo = Image.fromarray((np.asarray(portrait) + noise).clip(0, 255).astype(np.uint8))
    path = tmp_path / "IMG_0001.JPG"
    photo.save(path, quality=95, exif=exif)
    assert EXIF_MARKER in path.read_bytes()
    assert path.stat().st_size > 1_000_000

    received = sent_body(stand_in, browser, path)
    assert len(received) < path.stat().st_size / 4
    assert EXIF_MARKER not in received
    image = Image.open(BytesIO(received))
    assert image.format == "JPEG"
    assert image.size == (720, 960)
    assert not image.getexif()
    wanted = ImageOps.exif_transpose(Image.open(path)).resize((720, 960), Image.Resampling.BOX)
    difference = np.asarray(image, float) - np.asarray(wanted)
    assert np.abs(difference).mean() < 3
    assert Image.open(BytesIO(stand_in.cartoons[0])).size == (720, 960)


def test_transparency_becomes_white(stand_in, browser, tmp_path):
    pixels = np.zeros((1000, 1000, 4), np.uint8)
    pixels[:, 500:] = (200, 30, 30, 255)
    path = tmp_path / "cut out.png"
    path.write_bytes(encoded(pixels))
    image = np.asarray(Image.open(BytesIO(sent_body(stand_in, browser, path))).convert("RGB"))
    assert image.shape == (720, 720, 3)
    assert image[:, :350].min() > 250
    assert np.abs(image[:, 370:].astype(int) - (200, 30, 30)).max() < 12


def test_small_image_is_sent_unchanged(stand_in, browser):
    assert sent_body(stand_in, browser, PORTRAIT) == PORTRAIT.read_bytes()
    (query,) = stand_in.queries
    assert "style=tiny" in query.split("&")


def test_format_known_only_to_the_browser_is_sent_as_jpeg(stand_in, browser, tmp_path):
    path = tmp_path / "old.bmp"
    path.write_bytes(encoded(gradient(40, 24), "BMP"))
    image = Image.open(BytesIO(sent_body(stand_in, browser, path)))
    assert (image.format, image.size) == ("JPEG", (24, 40))


def test_file_unknown_to_the_browser_is_sent_unchanged(stand_in, browser, tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    assert sent_body(stand_in, browser, path) == path.read_bytes()
    assert "This is a HEIC image." in browser.text("#problem")


WORKING_SIZE_SCRIPT = """
    const module = document.querySelector("link[href$='/working_size.js']").href;
    const { workingSize } = await import(module);
    return args[0].map(([width, height]) => Object.values(workingSize(width, height, args[1])));
"""


def test_page_and_server_scale_to_the_same_size(page):
    for long_side in 256, 1280, 4096:
        numbers = random.Random(long_side)
        sizes = [[numbers.randint(1, 9000), numbers.randint(1, 9000)] for _ in range(2000)]
        limits = {"shortSide": 720, "longSide": long_side, "maxPixels": 64_000_000}
        fits = page.run(WORKING_SIZE_SCRIPT, sizes, limits)
        for (width, height), (fit_width, fit_height) in zip(sizes, fits, strict=True):
            wanted = working_size(height, width, long_side)
            assert abs(fit_height - wanted[0]) <= 1
            assert abs(fit_width - wanted[1]) <= 1
            assert working_size(fit_height, fit_width, long_side) == (fit_height, fit_width)
    # The limit on pixels holds, too.
    ((width, height),) = page.run(
        WORKING_SIZE_SCRIPT, [[3000, 4000]], limits | {"maxPixels": 90_000}
    )
    assert 85_000 < width * height <= 90_000
