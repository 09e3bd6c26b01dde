"""The page by the keyboard alone, and what a screen reader is told."""

from threading import Event

import pytest
from selenium.webdriver import ActionChains, Keys

from dctnet.api.problems import OVERLOADED, STARTING
from tests.support.browser import Browser
from tests.web_ui.stand_in import problem


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def tab_to(browser: Browser, name: str) -> None:
    for _ in range(12):
        press(browser, Keys.TAB)
        if browser.focused() == name:
            return
    raise AssertionError(f"Tab does not lead to {name}.")


def outline(browser: Browser, selector: str) -> str:
    """How an element shows that the keyboard is on it."""
    return browser[selector].value_of_css_property("outline-style")


@pytest.mark.promise("Page: usable by keyboard alone, with no serious axe-core violation")
def test_a_portrait_is_drawn_compared_and_kept_by_the_keyboard_alone(
    stand_in, page, small, downloads
):
    tab_to(page, "en")
    tab_to(page, "zh")
    tab_to(page, "file")
    assert outline(page, "#drop") == "solid"
    stand_in.answers.append(problem(OVERLOADED, 3600))
    page.driver.switch_to.active_element.send_keys(str(small))
    page.reach("waiting")

    tab_to(page, "stop")
    assert outline(page, "#stop") == "solid"
    press(page, Keys.SPACE)
    page.reach("stopped")
    assert page.focused() == "again"
    press(page, Keys.ENTER)
    page.reach("done")

    assert page.focused() == "result-title"
    tab_to(page, "split")
    assert outline(page, "#compare") == "solid"
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert page["#split"].get_attribute("aria-valuetext") == "53 % original"
    press(page, Keys.HOME)
    assert page["#split"].get_attribute("aria-valuetext") == "0 % original"
    tab_to(page, "download")
    press(page, Keys.ENTER)
    file = downloads / "Some one-cartoon.jpg"
    page.until(file.exists)
    file.unlink()


def test_the_focus_of_somebody_who_went_on_is_left_alone(stand_in, page, small):
    stand_in.held = Event()
    page.choose(small)
    page.reach("drawing")
    page["#languages [value=zh]"].click()
    stand_in.held.set()
    page.reach("done")
    assert page.focused() == "zh"


def test_an_image_is_sent_again_and_what_happens_is_read_aloud_but_not_each_second(
    stand_in, page, small
):
    page.run(
        """
        window.heard = { status: [], countdown: [] };
        for (const [id, texts] of Object.entries(window.heard)) {
          const element = document.getElementById(id);
          new MutationObserver(() => {
            if (element.textContent !== texts.at(-1)) texts.push(element.textContent);
          }).observe(element, { childList: true });
        }
        """
    )
    assert page["#status"].aria_role == "status"
    assert page["#problem"].aria_role == "alert"
    assert page["#countdown"].get_attribute("role") == "timer"  # Which is not read by itself.
    stand_in.answers.extend([problem(STARTING, 1), problem(OVERLOADED, 2)])
    page.choose(small)
    page.reach("done")
    heard = page.run("return window.heard")
    sent = ["Sending", "Drawing"]
    assert [text.split()[0] for text in heard["status"]] == (
        ["Preparing", *sent, "The", *sent, "Many", *sent, "Done"]
    )
    assert heard["status"][3].startswith("The service is starting.")
    assert heard["status"][6].startswith("Many people are waiting.")
    assert [text for text in heard["countdown"] if text] == [
        "Attempt 2 in 1 second",
        "Attempt 3 in 2 seconds",
        "Attempt 3 in 1 second",
    ]
    assert len(stand_in.received) == 3
    assert not page.shows("#countdown")


def test_the_progress_of_sending_is_shown(page, tmp_path):
    path = tmp_path / "unreadable.heic"
    path.write_bytes(bytes(300_000))
    with page.network(upload=400_000):
        page.run(
            """
            window.shares = [];
            const progress = document.getElementById("progress");
            new MutationObserver(() => {
              if (progress.hasAttribute("value")) window.shares.push(progress.value);
            }).observe(progress, { attributes: true, attributeFilter: ["value"] });
            """
        )
        page.choose(path)
        page.reach("failed")
        shares = page.run("return window.shares")
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares)
