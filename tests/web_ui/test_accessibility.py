"""Accessibility: axe-core finds no violation in any state of the page.

test_real_server.py covers the start page and the result, test_queue.py the queue position.
"""

import pytest

from dctnet.api.problems import INTERNAL_ERROR, OVERLOADED, UNAUTHORIZED
from tests.support.browser import DESKTOP, PHONE
from tests.web_ui.stand_in import StandIn, problem_response


@pytest.mark.promise("Web UI: usable by keyboard alone, with no axe-core violation")
@pytest.mark.parametrize(
    "problem_type",
    [OVERLOADED, INTERNAL_ERROR, UNAUTHORIZED],
    ids=lambda problem_type: problem_type.slug,
)
def test_problem_states_are_accessible(stand_in, page, small, problem_type):
    stand_in.responses.append(problem_response(problem_type, 3600))
    page.choose_file(small)
    page.wait_for_state("waiting", "retryable", "unauthorized")
    for size, dark in (DESKTOP, True), (PHONE, False):
        page.emulate(size, dark=dark)
        assert page.accessibility_violations() == []


@pytest.mark.promise("Web UI: usable by keyboard alone, with no axe-core violation")
def test_accessibility_violations_are_detected(page):
    violations = page.accessibility_violations()
    assert violations == []
    for damage, violation in [
        ("getElementById('drop-zone').style.color = '#eee'", "contrast"),
        ("querySelector('h1').textContent = ''", "Headings"),
        ("getElementById('file').parentElement.outerHTML = '<input type=file>'", "label"),
        ("body.style.minWidth = '200vw'", "wider than the window"),
    ]:
        assert violation not in " ".join(violations)
        page.driver.execute_script(f"document.{damage}")
        violations = page.accessibility_violations()
        assert violation in " ".join(violations)


def test_docs_page_is_accessible(browser, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-the-docs-test")
    with StandIn(DCTNET_API_KEYS_FILE=keys).running() as stand_in:
        browser.open(stand_in.url)
        browser["a[href=docs]"].click()
        browser.until(
            lambda: browser.is_visible("#cartoonize", "#problems", "#headers", "#schemas")
        )
        browser.run("for (const it of document.querySelectorAll('details')) it.open = true")
        for size, dark in (DESKTOP, False), (PHONE, True):
            browser.emulate(size, dark=dark)
            assert browser.accessibility_violations() == []
        assert browser.console_messages() == []
