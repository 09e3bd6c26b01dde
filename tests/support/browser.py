"""Headless Chromium, emulating a desktop or a phone."""

import base64
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.polling import BOUND_S, until
from tests.support.repo import ROOT

AXE = ROOT / ".tools/axe/axe_playwright_python/axe.min.js"
DESKTOP, PHONE = (1100, 900), (320, 640)


class Browser:
    """Browser with one tab."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self._agent = driver.execute_script("return navigator.userAgent")

    def open(
        self, url: str, *, language: str = "en", size: tuple[int, int] = DESKTOP, dark: bool = False
    ) -> None:
        """Open a page as a new visitor."""
        self.emulate(size, dark=dark)
        self.cdp("Emulation.setUserAgentOverride", userAgent=self._agent, acceptLanguage=language)
        self.cdp("Storage.clearDataForOrigin", origin=url, storageTypes="local_storage")
        self.driver.get_log("browser")
        self.driver.get(f"{url}/")
        self.until(lambda: self.is_visible("#styles"))

    def emulate(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """Emulate a window of this size, or a phone, with a light or dark colour scheme."""
        width, height = size
        is_phone = size == PHONE
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
        self.cdp("Emulation.setDeviceMetricsOverride", **metrics)
        self.cdp("Emulation.setTouchEmulationEnabled", enabled=is_phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Send a command of Chrome's DevTools Protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of an async function in the page, and return its result."""
        source = (
            "const done = arguments[arguments.length - 1];"
            f"(async (...args) => {{ {script} }})(...arguments)"
            ".then((value) => done([value, null]), (error) => done([null, String(error)]))"
        )
        value, error = self.driver.execute_async_script(source, *arguments)
        assert error is None, error
        return value

    @contextmanager
    def emulate_network(self, *, offline: bool = False, upload: int = -1) -> Iterator[None]:
        """Emulate a network that is offline, or uploads this many bytes per second."""
        usual = {"offline": False, "uploadThroughput": -1, "latency": 0, "downloadThroughput": -1}
        self.cdp("Network.enable")
        emulate = "Network.emulateNetworkConditions"
        self.cdp(emulate, **(usual | {"offline": offline, "uploadThroughput": upload}))
        try:
            yield
        finally:
            self.cdp(emulate, **usual)

    def __getitem__(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return self[selector].text

    def all(self, selector: str) -> list[WebElement]:
        """Return all elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Return the text of each element."""
        return [element.text for element in self.all(selector)]

    def is_visible(self, *selectors: str) -> bool:
        """Return whether all these elements are visible."""
        return all(self[selector].is_displayed() for selector in selectors)

    def state(self) -> str | None:
        """Return the state of the page."""
        return self["body"].get_attribute("data-state")

    def wait_for_state(self, *states: str) -> None:
        """Wait until the page is in one of these states."""
        self.until(lambda: self.state() in states, lambda: f"the state is {self.state()}")

    def focused_element(self) -> str:
        """Return the ID, value or tag of the focused element."""
        element = self.driver.switch_to.active_element
        names = ("id", "value", "tagName")
        return next(filter(None, (element.get_attribute(name) for name in names)), "")

    def choose_file(self, path: Path) -> None:
        """Choose a file in the file picker."""
        self["#file"].send_keys(str(path))

    def until(
        self,
        condition: Callable[[], object],
        what: Callable[[], str] = lambda: "the condition is still false",
    ) -> None:
        """Wait for a condition."""
        until(lambda: _ignore_stale_elements(condition), what)

    def screenshot(self, *, whole: bool) -> bytes:
        """Return a PNG of the whole page, or of the visible part."""
        shot = self.cdp("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    def console_messages(self) -> list[str]:
        """Return the messages of the browser's console, such as CSP violations."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def accessibility_violations(self) -> list[str]:
        """Return axe-core's violations, and whether the page scrolls sideways."""
        if not AXE.exists():
            pytest.skip("needs axe-core: make tools")
        if not self.driver.execute_script("return 'axe' in window"):
            self.driver.execute_script(AXE.read_text())
        violations, is_sideways = self.run(
            """
            const { violations } = await axe.run({ resultTypes: ["violations"] });
            const root = document.documentElement;
            return [violations, root.scrollWidth > root.clientWidth];
            """
        )
        return ["The page is wider than the window."] * is_sideways + [
            f"{rule['impact']}: {rule['help']}: {node['html']}"
            for rule in violations
            for node in rule["nodes"]
        ]


def _ignore_stale_elements(condition: Callable[[], object]) -> object:
    try:
        return condition()
    except StaleElementReferenceException:
        return False


@contextmanager
def chromium(downloads: Path) -> Iterator[Browser]:
    """Start Chromium with a download folder; skip the test if it is not installed."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = program
    # Chromium's sandbox does not run as root; the page is trusted.
    for argument in "headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage":
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With an explicit path, Selenium downloads no driver.
    chrome = Chrome(options, ChromeService(driver))
    try:
        chrome.set_script_timeout(BOUND_S)
        allowed = {"behavior": "allow", "downloadPath": str(downloads)}
        chrome.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
        yield Browser(chrome)
    finally:
        chrome.quit()
