"""Take the images of docs/page.md: a module to be run."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from PIL import Image

from dctnet.api.problems import OVERLOADED
from tests.api.conftest import MODEL
from tests.support.browser import DESKTOP, PHONE, Browser, chromium
from tests.support.process import serving
from tests.web_ui.conftest import PORTRAIT
from tests.web_ui.stand_in import StandIn, problem

IMAGES = PORTRAIT.parent
QUALITY = 85


def keep(browser: Browser, name: str, *, whole: bool = True) -> None:
    """Write the page, or what is in the window, as a JPEG."""
    browser.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    shot = Image.open(BytesIO(browser.image(whole=whole))).convert("RGB")
    shot.save(IMAGES / f"page-{name}.jpg", quality=QUALITY, optimize=True)
    print(f"page-{name}.jpg: {(IMAGES / f'page-{name}.jpg').stat().st_size} bytes")


def main() -> None:
    """Take them all."""
    with TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
        with serving(Path(folder, "log"), DCTNET_MODEL="demo") as server:
            browser.open(server.url, size=DESKTOP)
            browser.choose(PORTRAIT)
            browser.reach("done")
            keep(browser, "desktop")
            browser.open(server.url, size=PHONE, dark=True)
            browser.choose(PORTRAIT)
            browser.reach("done")
            keep(browser, "phone")
            browser.open(server.url, size=PHONE, language="zh-CN")
            keep(browser, "phone-chinese")
        model = replace(MODEL, style="demo", revision="")
        with StandIn(model).running() as stand_in:
            browser.open(stand_in.url, size=PHONE, dark=True)
            stand_in.answers.append(problem(OVERLOADED, 7))
            browser.choose(PORTRAIT)
            browser.reach("waiting")
            keep(browser, "phone-waiting", whole=False)
            browser.open(stand_in.url, size=PHONE)
            stand_in.held, stand_in.place = Event(), 3
            browser.choose(PORTRAIT)
            browser.reach("queued")
            keep(browser, "phone-queued", whole=False)


if __name__ == "__main__":
    main()
