"""Screenshots of docs/web-ui.md: run this module to take them."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from PIL import Image

from dctnet.api.problems import OVERLOADED
from dctnet.models.styles import SHIPPED_STYLES
from tests.api.conftest import MODEL
from tests.support.browser import DESKTOP, PHONE, Browser, chromium
from tests.support.process import serving
from tests.web_ui.conftest import PORTRAIT
from tests.web_ui.stand_in import StandIn, problem_response

IMAGES = PORTRAIT.parent
QUALITY = 85


def save_screenshot(browser: Browser, name: str, *, whole: bool = True) -> None:
    """Save the whole page, or the part from the status on, as a JPEG."""
    browser.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    if not whole:
        browser.driver.execute_script("document.getElementById('status').scrollIntoView()")
    shot = Image.open(BytesIO(browser.screenshot(whole=whole))).convert("RGB")
    shot.save(IMAGES / f"web-ui-{name}.jpg", quality=QUALITY, optimize=True)
    print(f"web-ui-{name}.jpg: {(IMAGES / f'web-ui-{name}.jpg').stat().st_size} bytes")


def main() -> None:
    """Take all screenshots."""
    with TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
        with serving(Path(folder, "log"), DCTNET_STYLES="comic,sketch,poster") as server:
            browser.open(server.url, size=DESKTOP)
            browser.choose_file(PORTRAIT)
            browser.wait_for_state("done")
            save_screenshot(browser, "desktop")
            browser.open(server.url, size=PHONE, dark=True)
            browser.choose_file(PORTRAIT)
            browser.wait_for_state("done")
            save_screenshot(browser, "phone")
            browser.open(server.url, size=PHONE, language="zh-CN")
            save_screenshot(browser, "phone-chinese")
        styles = [replace(MODEL, style=style, revision="") for style in SHIPPED_STYLES]
        with StandIn(*styles).running() as stand_in:
            browser.open(stand_in.url, size=PHONE, dark=True)
            stand_in.responses.append(problem_response(OVERLOADED, 7))
            browser.choose_file(PORTRAIT)
            browser.wait_for_state("waiting")
            save_screenshot(browser, "phone-waiting", whole=False)
            browser.open(stand_in.url, size=PHONE)
            stand_in.response_gate, stand_in.queue_position = Event(), 3
            browser.choose_file(PORTRAIT)
            browser.wait_for_state("queued")
            save_screenshot(browser, "phone-queued", whole=False)


if __name__ == "__main__":
    main()
