"""axe-core finds nothing that keeps anybody from using the page, in whatever state it is.

The first page and the result are in test_portrait.py, a place in the queue is in test_queue.py.
"""

import pytest

from dctnet.http.problems import FULL, INTERNAL, UNAUTHORIZED
from tests.page.stand_in import problem
from tests.support.browser import DESKTOP, PHONE


@pytest.mark.promise("Page: usable by keyboard alone, with no serious axe-core violation")
@pytest.mark.parametrize("kind", [FULL, INTERNAL, UNAUTHORIZED], ids=lambda kind: kind.name)
def test_everybody_can_use_the_page_in_a_problem(stand_in, browser, small, kind):
    browser.open(stand_in.url)
    stand_in.answers.append(problem(kind, 3600))
    browser.choose(small)
    browser.reach("waiting", "worthAClick", "locked")
    for size, dark in (DESKTOP, True), (PHONE, False):
        browser.emulate(size, dark=dark)
        assert browser.barriers() == []


@pytest.mark.promise("Page: usable by keyboard alone, with no serious axe-core violation")
def test_a_page_that_somebody_cannot_use_is_found(stand_in, browser):
    browser.open(stand_in.url)
    found = browser.barriers()
    assert found == []
    for damage, barrier in [
        ("getElementById('drop').style.color = '#eee'", "contrast"),
        ("querySelector('h1').textContent = ''", "Headings"),
        ("getElementById('file').parentElement.outerHTML = '<input type=file>'", "label"),
        ("body.style.minWidth = '200vw'", "wider than the window"),
    ]:
        assert barrier not in " ".join(found)
        browser.driver.execute_script(f"document.{damage}")
        found = browser.barriers()
        assert barrier in " ".join(found)
