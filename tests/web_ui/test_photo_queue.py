"""Several photos: cartoonized one after the other, each result within reach."""

from pathlib import Path
from threading import Event

import pytest
from selenium.webdriver import Keys

from dctnet.api.problems import DAMAGED_IMAGE, INTERNAL_ERROR, UNAUTHORIZED
from dctnet.conversion.trial_images import PHOTOS
from dctnet.engine.landmarks import MIN_FACE_SIDE
from tests.support.browser import DESKTOP, PHONE, Browser
from tests.support.encoded_images import encoded, gradient
from tests.web_ui.conftest import PORTRAIT
from tests.web_ui.stand_in import problem_response


def choose_files(browser: Browser, *paths: Path) -> None:
    browser["#file"].send_keys("\n".join(map(str, paths)))


def states(browser: Browser) -> list[str]:
    return browser.texts("#photos span")


def shown_photo(browser: Browser) -> str:
    """Return the text of the photo that is marked in the list."""
    (image,) = browser.all("#photos [aria-current=true] img")
    return str(image.get_attribute("alt"))


def download(browser: Browser, folder: Path) -> bytes:
    """Click the download link and return the file."""
    file = folder / str(browser["#download"].get_attribute("download"))
    browser["#download"].click()
    browser.until(lambda: file.exists() and file.stat().st_size)
    data = file.read_bytes()
    file.unlink()
    return data


@pytest.mark.promise("Web UI: several photos are cartoonized one after the other")
def test_photos_are_cartoonized_one_after_the_other(stand_in, page, small, downloads):
    assert not page.is_visible("#photos")
    stand_in.response_gate = Event()
    choose_files(page, small, PORTRAIT)
    page.wait_for_state("cartoonizing")
    assert stand_in.received == [small.read_bytes()]
    assert states(page) == ["In progress", "Waiting"]
    assert page.text("#photo-name") == "Photo 1 of 2: Some one.png"
    stand_in.response_gate.set()
    page.until(lambda: states(page) == ["Done", "Done"])
    assert stand_in.received == [small.read_bytes(), PORTRAIT.read_bytes()]

    # The first result stays until the user chooses another.
    assert shown_photo(page) == "Photo 1 of 2: Some one.png"
    assert page.text("#status").startswith("Photo 2 of 2: astronaut.jpg. Done in")
    assert download(page, downloads) == stand_in.cartoons[0]
    second = page.all("#photos button")[1]
    second.send_keys(Keys.ENTER)
    assert page.driver.switch_to.active_element == second
    assert shown_photo(page) == "Photo 2 of 2: astronaut.jpg"
    assert download(page, downloads) == stand_in.cartoons[1]
    page["#languages [value=zh]"].click()
    assert states(page) == ["已完成", "已完成"]

    page.choose_file(small)
    page.until(lambda: len(stand_in.cartoons) == 3)
    assert not page.is_visible("#photos")


def test_progress_of_the_next_photo_leaves_the_result_usable(stand_in, browser, small):
    browser.open(stand_in.url, size=PHONE)
    stand_in.response_gate = Event()
    choose_files(browser, small, PHOTOS / "grace_hopper.jpg", PORTRAIT)
    browser.wait_for_state("cartoonizing")
    first, stand_in.response_gate = stand_in.response_gate, Event()
    first.set()
    browser.until(lambda: len(stand_in.received) == 2)
    browser.wait_for_state("cartoonizing")
    assert states(browser) == ["Done", "In progress", "Waiting"]
    assert browser.is_visible("#cartoon", "#download", "#preview", "#stop")
    assert browser["#comparison"].value_of_css_property("opacity") == "1"
    for size, dark in (DESKTOP, True), (PHONE, False):
        browser.emulate(size, dark=dark)
        assert browser.accessibility_violations() == []
    browser["#stop"].click()
    assert states(browser) == ["Done", "Waiting", "Waiting"]
    stand_in.response_gate.set()
    browser["#retry"].click()
    browser.until(lambda: states(browser) == ["Done"] * 3)
    assert shown_photo(browser).startswith("Photo 1 of 3")


def test_another_style_applies_to_the_selected_photo(stand_in, page, small):
    choose_files(page, small, PORTRAIT)
    page.until(lambda: states(page) == ["Done", "Done"])
    page.all("#photos button")[1].click()
    page["#strength"].send_keys(Keys.ARROW_LEFT)
    page.until(lambda: len(stand_in.cartoons) == 3)
    page.wait_for_state("done")
    assert stand_in.received[2] == PORTRAIT.read_bytes()
    assert shown_photo(page) == "Photo 2 of 2: astronaut.jpg"


def test_photo_that_the_browser_cannot_show_has_a_placeholder(stand_in, page, small, tmp_path):
    unreadable = tmp_path / "broken.jpg"
    unreadable.write_bytes(b"\xff\xd8\xff broken")
    stand_in.responses.append(problem_response(DAMAGED_IMAGE))
    choose_files(page, unreadable, small)
    page.until(lambda: states(page) == ["Failed", "Done"])
    # A broken image has no width.
    script = "return document.querySelector('#photos img').naturalWidth"
    page.until(lambda: page.run(script) > 0)
    assert page["#photos img"].get_attribute("alt") == "Photo 1 of 2: broken.jpg"


def test_photo_that_cannot_be_read_does_not_stop_the_others(stand_in, page, small):
    stand_in.responses.append(problem_response(DAMAGED_IMAGE))
    choose_files(page, small, PORTRAIT)
    page.until(lambda: states(page) == ["Failed", "Done"])
    assert shown_photo(page) == "Photo 2 of 2: astronaut.jpg"
    page.all("#photos button")[0].click()
    assert page.text("#problem") == "This photo is damaged. Choose another one."
    assert page.text("#status") == "Photo 1 of 2: Some one.png"
    assert not page.is_visible("#result")
    page.all("#photos button")[1].click()
    assert page.text("#problem") == ""
    assert page.is_visible("#result")


@pytest.mark.parametrize("problem_type", [INTERNAL_ERROR, UNAUTHORIZED], ids=lambda it: it.slug)
def test_problem_of_the_service_stops_the_queue_until_a_retry(stand_in, page, small, problem_type):
    stand_in.responses.append(problem_response(problem_type))
    choose_files(page, small, PORTRAIT)
    page.wait_for_state("retryable", "unauthorized")
    assert len(stand_in.received) == 1
    if problem_type is UNAUTHORIZED:
        page["#api-key"].send_keys("a-key\n")
    else:
        page["#retry"].click()
    page.until(lambda: states(page) == ["Done", "Done"])
    assert len(stand_in.received) == 3


def test_missing_face_tells_how_large_it_must_be(stand_in, page, tmp_path):
    path = tmp_path / "no face.png"
    # 60 pixels of the working size: 1280 x 640 for the first, the whole photo for the second.
    for (height, width), side in ((3000, 1500), 141), ((300, 400), MIN_FACE_SIDE):
        path.write_bytes(encoded(gradient(height, width)))
        page.choose_file(path)
        text = (
            f"In this photo of {width} × {height} pixels,"
            f" a face must be more than {side} pixels high."
        )
        page.until(lambda text=text: page.text("#face-size") == text)
    assert "No face found." in page.text("#status")
