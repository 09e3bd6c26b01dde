"""Keyboard operation, and announcements for screen readers."""

from threading import Event

import pytest
from selenium.webdriver import ActionChains, Keys

from dctnet.api.problems import OVERLOADED, STARTING
from tests.support.browser import Browser
from tests.web_ui.stand_in import problem_response


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def tab_to(browser: Browser, name: str) -> None:
    for _ in range(12):
        press(browser, Keys.TAB)
        if browser.focused_element() == name:
            return
    raise AssertionError(f"Tab does not lead to {name}.")


def outline(browser: Browser, selector: str) -> str:
    """Return the focus outline of an element."""
    return browser[selector].value_of_css_property("outline-style")


@pytest.mark.promise("Web UI: usable by keyboard alone, with no axe-core violation")
def test_whole_workflow_by_keyboard(stand_in, page, small, downloads):
    tab_to(page, "en")
    tab_to(page, "zh")
    tab_to(page, "file")
    assert outline(page, "#drop-zone") == "solid"
    stand_in.responses.append(problem_response(OVERLOADED, 3600))
    page.driver.switch_to.active_element.send_keys(str(small))
    page.wait_for_state("waiting")

    tab_to(page, "strength")
    tab_to(page, "size")
    tab_to(page, "stop")
    assert outline(page, "#stop") == "solid"
    press(page, Keys.SPACE)
    page.wait_for_state("stopped")
    assert page.focused_element() == "retry"
    press(page, Keys.ENTER)
    page.wait_for_state("done")

    assert page.focused_element() == "result-title"
    tab_to(page, "slider")
    assert outline(page, "#comparison") == "solid"
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert page["#slider"].get_attribute("aria-valuetext") == "53 % original"
    press(page, Keys.HOME)
    assert page["#slider"].get_attribute("aria-valuetext") == "0 % original"
    tab_to(page, "download")
    press(page, Keys.ENTER)
    file = downloads / "Some one-cartoon.jpg"
    page.until(file.exists)
    file.unlink()


def test_focus_is_kept_when_the_user_moved_it(stand_in, page, small):
    stand_in.response_gate = Event()
    page.choose_file(small)
    page.wait_for_state("cartoonizing")
    page["#languages [value=zh]"].click()
    stand_in.response_gate.set()
    page.wait_for_state("done")
    assert page.focused_element() == "zh"


def test_retries_are_announced_but_not_each_second(stand_in, page, small):
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
    assert (
        page["#countdown"].get_attribute("role") == "timer"
    )  # Screen readers do not announce a timer.
    stand_in.responses.extend([problem_response(STARTING, 1), problem_response(OVERLOADED, 2)])
    page.choose_file(small)
    page.wait_for_state("done")
    heard = page.run("return window.heard")
    sent = ["Uploading", "Creating"]
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
    assert not page.is_visible("#countdown")


def test_upload_progress_is_shown(page, tmp_path):
    path = tmp_path / "unreadable.heic"
    path.write_bytes(bytes(300_000))
    with page.emulate_network(upload=400_000):
        page.run(
            """
            window.shares = [];
            const progress = document.getElementById("progress");
            new MutationObserver(() => {
              if (progress.hasAttribute("value")) window.shares.push(progress.value);
            }).observe(progress, { attributes: true, attributeFilter: ["value"] });
            """
        )
        page.choose_file(path)
        page.wait_for_state("failed")
        shares = page.run("return window.shares")
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares)
