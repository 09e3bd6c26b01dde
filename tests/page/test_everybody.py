"""axe-core finds nothing that keeps anybody from using the page, in whatever state it is."""

from pathlib import Path
from threading import Event

import pytest

from dctnet.http.problems import FULL, INTERNAL, UNAUTHORIZED, Kind
from tests.page.stand_in import StandIn, problem
from tests.support.browser import DESKTOP, PHONE, Browser


@pytest.mark.promise("Page: usable by keyboard alone, with no serious axe-core violation")
@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, True), (PHONE, False)])
@pytest.mark.parametrize("kind", [FULL, INTERNAL, UNAUTHORIZED], ids=lambda kind: kind.name)
def test_everybody_can_use_the_page_in_a_problem(
    stand_in: StandIn, browser: Browser, small: Path, kind: Kind, size: tuple[int, int], dark: bool
) -> None:
    browser.open(stand_in.url, size=size, dark=dark)
    stand_in.answers.append(problem(kind, 3600))
    browser.choose(small)
    browser.reach("waiting", "worthAClick", "locked")
    assert browser.barriers() == []
    assert not browser.is_sideways()


def test_everybody_can_use_the_page_while_a_picture_waits_for_its_turn(
    stand_in: StandIn, browser: Browser, small: Path
) -> None:
    browser.open(stand_in.url, size=PHONE)
    stand_in.held, stand_in.place = Event(), 12
    browser.choose(small)
    browser.reach("queued")
    assert browser.text("#place") == "Place 12 in the queue"
    assert browser.barriers() == []
    assert not browser.is_sideways()


@pytest.mark.promise("Page: usable by keyboard alone, with no serious axe-core violation")
@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("document.getElementById('drop').style.color = '#eee'", "contrast"),
        ("document.querySelector('h1').textContent = ''", "Headings"),
        ("document.getElementById('file').parentElement.outerHTML = '<input type=file>'", "label"),
    ],
)
def test_a_page_that_somebody_cannot_use_is_found(
    stand_in: StandIn, browser: Browser, damage: str, rule: str
) -> None:
    browser.open(stand_in.url)
    assert browser.barriers() == []
    browser.driver.execute_script(damage)
    assert rule in " ".join(browser.barriers())
