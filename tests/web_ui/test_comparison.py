"""Comparison: slider and download."""

from pathlib import Path

from selenium.webdriver import ActionChains

from tests.support.browser import Browser
from tests.web_ui.stand_in import CannedResponse, StandIn


def open_and_cartoonize(stand_in: StandIn, browser: Browser, path: Path) -> None:
    browser.open(stand_in.url)
    browser.choose_file(path)
    browser.wait_for_state("done")


def split_position(browser: Browser) -> str:
    """Return the visible part of the original."""
    style = "getComputedStyle(document.getElementById('comparison'))"
    return str(browser.driver.execute_script(f"return {style}.getPropertyValue('--slider')"))


def has_slider(browser: Browser) -> bool:
    # Selenium treats transparent elements as hidden.
    return browser["#slider"].value_of_css_property("display") != "none"


def test_download_and_slider(stand_in, browser, small, downloads):
    open_and_cartoonize(stand_in, browser, small)
    browser["#download"].click()
    file = downloads / "Some one-cartoon.jpg"
    browser.until(file.exists)
    browser.until(lambda: file.stat().st_size == len(stand_in.cartoons[0]))
    assert file.read_bytes() == stand_in.cartoons[0]
    file.unlink()

    assert split_position(browser) == "50%"
    box = browser["#comparison"]
    width = box.size["width"]
    for part in 0.25, 0.75:
        x = round(width * (part - 0.5))
        ActionChains(browser.driver).move_to_element_with_offset(box, x, 0).click().perform()
        error = abs(float(split_position(browser).rstrip("%")) / 100 - part) * width
        assert error < 1.5  # Pixels.
    # Both images have the same position and size.
    assert browser["#original"].rect == browser["#cartoon"].rect


def test_no_slider_without_a_displayable_original(stand_in, browser, small, tmp_path):
    open_and_cartoonize(stand_in, browser, small)
    cartoon = stand_in.cartoons[0]
    # The response to a format that only the service supports.
    stand_in.responses.append(CannedResponse(200, cartoon, {"Content-Type": "image/png"}))
    path = tmp_path / "photo.heic"
    path.write_bytes(b"unreadable")
    browser.choose_file(path)
    browser.until(lambda: has_slider(browser) is False)
    assert browser.is_visible("#cartoon", "#download")
    # The next result has a slider again.
    browser.choose_file(small)
    browser.until(lambda: has_slider(browser))
