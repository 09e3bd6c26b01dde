"""The API's page, to which the page for people leads."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser import DESKTOP, PHONE, Browser
from tests.support.process import Server

UNFOLD = "for (const example of document.querySelectorAll('details')) example.open = true"


@pytest.mark.parametrize(
    ("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "phone"]
)
def test_everybody_can_read_what_the_api_does(
    browser: Browser,
    start_timed: Callable[..., Server],
    tmp_path: Path,
    size: tuple[int, int],
    dark: bool,
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-the-docs-test")
    server = start_timed(0, DCTNET_API_KEYS_FILE=keys)
    browser.open(server.url, size=size, dark=dark)
    browser["a[href=docs]"].click()
    browser.until(lambda: browser.shows("#draw", "#problems", "#headers", "#objects"))
    browser.run(UNFOLD)
    assert browser.barriers() == []
    assert not browser.is_sideways()
    assert browser.complaints() == []
