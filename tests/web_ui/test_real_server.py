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
    """`dctnet serve` with the shipped styles."""
    with serving(tmp_path_factory.mktemp("server") / "log") as server:
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
    named = "ship with the service" if language.startswith("en") else "随服务附带"
    assert named in browser.text(".notice")
    assert browser["#take-photo"].is_displayed() == (size == PHONE)

    browser.choose_file(PORTRAIT)
    browser.wait_for_state("done")
    assert done in browser.text("#status")
    assert browser.is_visible("#result", "#download")
    original, cartoon = displayed_image(browser, "#original"), displayed_image(browser, "#cartoon")
    assert cartoon.size == original.size == Image.open(PORTRAIT).size
    change = np.abs(np.asarray(cartoon, float) - np.asarray(original))
    assert 2 < change.mean() < 60
    assert browser.accessibility_violations() == []
    assert browser.console_messages() == []


def test_page_works_at_a_path_of_a_shared_host(tmp_path, browser):
    with serving(tmp_path / "log", DCTNET_PATH_PREFIX="/team/cartoons") as server:
        browser.open(f"{server.url}/team/cartoons")
        browser.until(lambda: len(browser.all("#styles img")) == 3)
        for sample in browser.all("#styles img"):
            browser.until(lambda sample=sample: sample.get_property("naturalWidth") == 224)
        browser.choose_file(PORTRAIT)
        browser.wait_for_state("done")
        paths = browser.run(
            "return performance.getEntriesByType('resource').map(r => new URL(r.name).pathname)"
        )
        assert [path for path in paths if not path.startswith("/team/cartoons/")] == []
        assert len(paths) > 10


def test_styles_are_shown_with_a_portrait_each(server, browser):
    browser.open(server.url)
    browser.until(lambda: browser.texts("#styles label") == ["Comic", "Sketch", "Poster"])
    assert selected_style(browser) == "comic"
    for title, sample in zip(
        ("Comic", "Sketch", "Poster"), browser.all("#styles img"), strict=True
    ):
        browser.until(lambda sample=sample: sample.get_property("naturalWidth") == 224)
        assert sample.get_attribute("alt") == f"Sample portrait in the style {title}"
    browser["#languages [value=zh]"].click()
    assert browser.texts("#styles label") == ["漫画", "素描", "海报"]


def test_same_photo_is_drawn_in_another_style(server, browser):
    browser.open(server.url)
    browser.choose_file(PORTRAIT)
    browser.wait_for_state("done")
    comic = displayed_image(browser, "#cartoon")
    browser["#styles [value=poster]"].click()
    browser.until(lambda: not same(displayed_image(browser, "#cartoon"), comic))
    browser.wait_for_state("done")
    assert same(displayed_image(browser, "#original"), Image.open(PORTRAIT).convert("RGB"))
    assert server.metric("dctnet_inferences_total", style="poster", result="ok") >= 1
    browser.driver.refresh()
    browser.until(lambda: selected_style(browser) == "poster")
    assert browser.console_messages() == []


def selected_style(browser: Browser) -> str | None:
    return browser.run("return document.querySelector('#styles input:checked')?.value")


def same(image: Image.Image, other: Image.Image) -> bool:
    return image.size == other.size and image.tobytes() == other.tobytes()


def test_invalid_file_is_rejected_by_the_server(server, browser, tmp_path):
    browser.open(server.url)
    path = tmp_path / "it.jpg"
    for content, text in [
        (b"", "This file is empty."),
        (b"hello", "This is text, which is not supported."),
        (b"\x89PNG\r\n\x1a\nand then nothing", "This photo is damaged."),
    ]:
        path.write_bytes(content)
        browser.choose_file(path)
        browser.until(lambda text=text: text in browser.text("#problem"))
        assert browser.state() == "failed"
