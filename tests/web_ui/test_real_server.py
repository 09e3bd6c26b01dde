"""Web UI of a real server: from a portrait to its cartoon."""

import base64
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.support.browser import DESKTOP, PHONE, Browser
from tests.support.process import Server, serving
from tests.web_ui.conftest import PORTRAIT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`dctnet serve` with the demo model."""
    with serving(tmp_path_factory.mktemp("server") / "log", DCTNET_MODEL="demo") as server:
        yield server


def displayed_image(browser: Browser, selector: str) -> Image.Image:
    """Return the pixels of an image element."""
    script = """
        const image = document.querySelector(args[0]);
        await image.decode();
        const canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth;
        canvas.height = image.naturalHeight;
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL();
    """
    _, _, data = browser.run(script, selector).partition(",")
    return Image.open(BytesIO(base64.b64decode(data))).convert("RGB")


# Covers every pair of width, language and colour scheme.
@pytest.mark.promise("Web UI: a portrait becomes a cartoon, and a full queue is retried")
@pytest.mark.parametrize(
    ("size", "language", "dark", "done"),
    [
        (DESKTOP, "en-GB", False, "1 face found."),
        (DESKTOP, "zh-CN", True, "找到 1 张人脸。"),
        (PHONE, "en-US", True, "1 face found."),
        (PHONE, "zh-TW", False, "找到 1 张人脸。"),
    ],
)
def test_portrait_becomes_a_cartoon(server, browser, size, language, dark, done):
    browser.open(server.url, size=size, language=language, dark=dark)
    assert browser.accessibility_violations() == []
    assert browser.is_visible("#drop-zone", "#styles", ".notice")
    named = "demo model" if language.startswith("en") else "演示模型"
    assert named in browser.text(".notice")
    assert browser["#take-photo"].is_displayed() == (size == PHONE)

    browser.choose_file(PORTRAIT)
    browser.wait_for_state("done")
    assert done in browser.text("#status")
    assert browser.is_visible("#result", "#download")
    original, cartoon = displayed_image(browser, "#original"), displayed_image(browser, "#cartoon")
    assert cartoon.size == original.size == Image.open(PORTRAIT).size
    change = np.abs(np.asarray(cartoon, float) - np.asarray(original))
    assert 2 < change.mean() < 40
    assert browser.accessibility_violations() == []
    assert browser.console_messages() == []


def test_loaded_style_is_shown_with_its_sample(server, browser):
    browser.open(server.url)
    assert browser.text("#styles label") == "Demo"
    assert browser["#styles input"].is_selected()
    sample = browser["#styles img"]
    browser.until(lambda: sample.get_property("naturalWidth") == 224)
    assert sample.get_attribute("alt") == "Sample portrait in the style Demo"
    browser["#languages [value=zh]"].click()
    assert browser.text("#styles label") == "演示"


def test_invalid_file_is_rejected_by_the_server(server, browser, tmp_path):
    browser.open(server.url)
    path = tmp_path / "it.jpg"
    for content, text in [
        (b"", "This file is empty."),
        (b"hello", "This file format is not supported."),
        (b"\x89PNG\r\n\x1a\nand then nothing", "This photo is damaged."),
    ]:
        path.write_bytes(content)
        browser.choose_file(path)
        browser.until(lambda text=text: text in browser.text("#problem"))
        assert browser.state() == "failed"
