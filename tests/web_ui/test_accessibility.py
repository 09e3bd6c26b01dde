"""axe-core finds nothing that keeps anybody from using the page, in whatever state it is.

The first page and the result are in test_portrait.py, a place in the queue is in test_queue.py.
"""

import pytest

from dctnet.api.problems import INTERNAL_ERROR, OVERLOADED, UNAUTHORIZED
from tests.support.browser import DESKTOP, PHONE
from tests.web_ui.stand_in import StandIn, problem


@pytest.mark.promise("Page: usable by keyboard alone, with no serious axe-core violation")
@pytest.mark.parametrize(
    "problem_type",
    [OVERLOADED, INTERNAL_ERROR, UNAUTHORIZED],
    ids=lambda problem_type: problem_type.slug,
)
def test_everybody_can_use_the_page_in_a_problem(stand_in, page, small, problem_type):
    stand_in.answers.append(problem(problem_type, 3600))
    page.choose(small)
    page.reach("waiting", "worthAClick", "locked")
    for size, dark in (DESKTOP, True), (PHONE, False):
        page.emulate(size, dark=dark)
        assert page.barriers() == []


@pytest.mark.promise("Page: usable by keyboard alone, with no serious axe-core violation")
def test_a_page_that_somebody_cannot_use_is_found(page):
    found = page.barriers()
    assert found == []
    for damage, barrier in [
        ("getElementById('drop').style.color = '#eee'", "contrast"),
        ("querySelector('h1').textContent = ''", "Headings"),
        ("getElementById('file').parentElement.outerHTML = '<input type=file>'", "label"),
        ("body.style.minWidth = '200vw'", "wider than the window"),
    ]:
        assert barrier not in " ".join(found)
        page.driver.execute_script(f"document.{damage}")
        found = page.barriers()
        assert barrier in " ".join(found)


def test_everybody_can_read_what_the_api_does(browser, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-the-docs-test")
    with StandIn(DCTNET_API_KEYS_FILE=keys).running() as stand_in:
        browser.open(stand_in.url)
        browser["a[href=docs]"].click()
        browser.until(lambda: browser.shows("#draw", "#problems", "#headers", "#objects"))
        browser.run("for (const it of document.querySelectorAll('details')) it.open = true")
        for size, dark in (DESKTOP, False), (PHONE, True):
            browser.emulate(size, dark=dark)
            assert browser.barriers() == []
        assert browser.complaints() == []
