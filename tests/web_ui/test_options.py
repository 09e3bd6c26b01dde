"""Strength and size: a change cartoonizes the same photo again."""

from threading import Event
from typing import Any

from selenium.webdriver import Keys
from selenium.webdriver.support.select import Select

from dctnet.conversion.trial_images import PHOTOS
from tests.support.browser import PHONE, Browser
from tests.support.encoded_images import decoded

PORTRAIT = PHOTOS / "grace_hopper.jpg"
"""512 x 600 pixels, which the page sends unchanged."""


def test_change_of_an_option_cartoonizes_the_same_photo_again(stand_in, page):
    page.choose_file(PORTRAIT)
    page.wait_for_state("done")
    page["#strength"].send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)  # One request for both.
    page.until(lambda: len(stand_in.cartoons) == 2)
    assert page["#strength"].get_attribute("aria-valuetext") == "90 %"
    assert page.text("#strength-value") == "90 %"
    Select(page["#size"]).select_by_value("512")
    page.until(lambda: len(stand_in.cartoons) == 3)
    page.wait_for_state("done")
    options = [
        {it for it in query.split("&") if it.startswith(("strength=", "size="))}
        for query in stand_in.queries
    ]
    assert options == [set(), {"strength=0.9"}, {"strength=0.9", "size=512"}]
    assert stand_in.received == [PORTRAIT.read_bytes()] * 3
    assert decoded(stand_in.cartoons[2]).shape == (512, 437, 3)
    page.until(lambda: page["#cartoon"].get_property("naturalHeight") == 512)
    assert page.focused_element() == "size"


def layout(browser: Browser) -> Any:
    return browser.run(
        """
        const rect = (id) => document.getElementById(id).getBoundingClientRect().toJSON();
        return [document.documentElement.scrollHeight, args[0].map(rect)];
        """,
        ["strength", "size", "comparison", "download"],
    )


def test_last_cartoon_stays_in_its_position_meanwhile(stand_in, browser):
    browser.open(stand_in.url, size=PHONE)
    browser.choose_file(PORTRAIT)
    browser.wait_for_state("done")
    before = layout(browser)
    stand_in.response_gate = Event()
    browser["#strength"].send_keys(Keys.HOME)
    browser.wait_for_state("cartoonizing")
    assert browser.is_visible("#cartoon", "#progress", "#stop")
    assert layout(browser) == before
    assert browser.accessibility_violations() == []
    stand_in.response_gate.set()
    browser.wait_for_state("done")
    assert layout(browser) == before


def test_sizes_that_the_page_cannot_reach_are_not_offered(page):
    values = [option.get_attribute("value") for option in Select(page["#size"]).options]
    assert values == ["", "1024", "512"]  # The working size is at most 1280.
