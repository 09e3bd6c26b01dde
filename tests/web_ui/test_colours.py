"""Colours of images without an ICC profile, compared with those that Chromium draws."""

import base64

import numpy as np
import pytest
from skimage import data as skimage_data

from dctnet.arrays import Pixels
from dctnet.imaging import decode
from tests.support.browser import Browser
from tests.support.encoded_images import encoded
from tests.support.formats import chunk, with_chunks

pytestmark = pytest.mark.xdist_group("page")

SDR, HDR = 3, 12
"""Largest mean differences, of 255: the tone curve of HDR is Chromium's own."""

IMAGE = np.ascontiguousarray(skimage_data.astronaut()[:256, 128:384])

DRAWN = """
const [url] = args;
const image = new Image();
await new Promise((resolve, reject) => {
  image.onload = resolve;
  image.onerror = reject;
  image.src = url;
});
const canvas = document.createElement("canvas");
canvas.width = image.naturalWidth;
canvas.height = image.naturalHeight;
const context = canvas.getContext("2d", {colorSpace: "srgb"});
context.drawImage(image, 0, 0);
const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
let text = "";
for (const value of pixels) text += String.fromCharCode(value);
return [canvas.width, canvas.height, btoa(text)];
"""


@pytest.fixture(scope="module", autouse=True)
def _blank_page(browser: Browser) -> None:
    """A page without the policy of the server's pages, which allows no images by data URL."""
    browser.driver.get("about:blank")


def drawn(browser: Browser, data: bytes, media_type: str) -> Pixels:
    """Return what Chromium draws, HxWx3 uint8 RGB."""
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    width, height, text = browser.run(DRAWN, url)
    rgba = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    return rgba[..., :3]


def numbers(*values: float) -> bytes:
    return b"".join(round(value * 100_000).to_bytes(4) for value in values)


def cicp(primaries: int, transfer: int) -> bytes:
    return chunk(b"cICP", bytes((primaries, transfer, 0, 1)))


WIDE = numbers(0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046)

CHUNKS = {
    "Display P3": (cicp(12, 13), SDR),
    "BT.2020 with the curve of sRGB": (cicp(9, 13), SDR),
    "BT.2020": (cicp(9, 14), SDR),
    "BT.709": (cicp(1, 1), SDR),
    "linear": (cicp(1, 8), SDR),
    "gamma 2.2": (cicp(1, 4), SDR),
    "PQ": (cicp(9, 16), HDR),
    "PQ of Display P3": (cicp(12, 16), HDR),
    "HLG": (cicp(9, 18), HDR),
    "gAMA 1": (chunk(b"gAMA", numbers(1)), SDR),
    "gAMA 1/1.8": (chunk(b"gAMA", numbers(1 / 1.8)), SDR),
    "gAMA and cHRM": (chunk(b"gAMA", numbers(0.45455)) + chunk(b"cHRM", WIDE), SDR),
    "sRGB before gAMA": (chunk(b"sRGB", b"\0") + chunk(b"gAMA", numbers(1)), SDR),
    "cICP before gAMA": (cicp(1, 13) + chunk(b"gAMA", numbers(1)), SDR),
}


@pytest.mark.parametrize("kind", CHUNKS)
def test_png_without_a_profile(browser, kind):
    chunks, bound = CHUNKS[kind]
    data = with_chunks(encoded(IMAGE), chunks)
    difference = np.abs(decode(data, 10**6).astype(int) - drawn(browser, data, "image/png"))
    assert difference.mean() <= bound


@pytest.mark.parametrize("codes", [(12, 13), (9, 14), (1, 1), (9, 16), (9, 18), (1, 13)])
def test_avif_without_a_profile(browser, codes):
    data = encoded(IMAGE, "AVIF", speed=10, quality=95)
    at = data.index(b"nclx") + 4
    data = data[:at] + b"".join(code.to_bytes(2) for code in codes) + data[at + 4 :]
    difference = np.abs(decode(data, 10**6).astype(int) - drawn(browser, data, "image/avif"))
    assert difference.mean() <= (HDR if codes[1] > 15 else SDR)
