"""CORS in a real browser: pages of allowed and of other origins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import http_stub
from tests.support.browser import Browser
from tests.web_ui.stand_in import StandIn

KEY = "the-key-of-the-other-site"

FETCH_SCRIPT = """
const [url, key] = args;
const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 40 });
canvas.getContext("2d").fillRect(0, 0, 20, 20);
const image = await new Promise((resolve) => canvas.toBlob(resolve));
const headers = { "X-Api-Key": key, "X-Request-Timeout": "30", "X-Request-Id": "abc" };
try {
  const response = await fetch(`${url}/v1/cartoons`, { method: "POST", body: image, headers });
  const read = (name) => response.headers.get(name);
  const problem = response.ok ? null : (await response.json()).type;
  return [response.status, read("X-Request-Id"), read("X-Dctnet-Model"), problem];
} catch (error) {
  return error.name;
}
"""


class BlankSite(http_stub.Handler):
    """Another site, with one empty page."""

    def respond(self) -> None:
        page = b"<!doctype html><title>Another site</title>"
        self.send(200, page, {"Content-Type": "text/html"})


@pytest.fixture
def site() -> Iterator[str]:
    """The origin of another site."""
    with http_stub.serving(BlankSite) as stub:
        yield stub.url


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(KEY)
    return file


def fetch_from_page(browser: Browser, site: str, server: StandIn, key: str = KEY) -> Any:
    """Return what a page of the site can read of the response."""
    browser.driver.get(site)
    return browser.run(FETCH_SCRIPT, server.url, key)


def test_allowed_origin_cartoonizes_and_reads_problems(browser, site, keys):
    settings = {"DCTNET_CORS_ORIGINS": site, "DCTNET_API_KEYS_FILE": keys}
    with StandIn(**settings).running() as server:
        assert fetch_from_page(browser, site, server) == [200, "abc", "tiny@v1", None]
        rejected = fetch_from_page(browser, site, server, "a-wrong-key-of-the-other-site")
        assert rejected == [401, "abc", None, "urn:dctnet:problem:unauthorized"]


@pytest.mark.parametrize("allowed", ["", "https://a.example"], ids=["none", "another"])
def test_other_origin_is_blocked(browser, site, keys, allowed):
    settings = {"DCTNET_CORS_ORIGINS": allowed, "DCTNET_API_KEYS_FILE": keys}
    with StandIn(**settings).running() as server:
        assert fetch_from_page(browser, site, server) == "TypeError"
        assert server.received == []
