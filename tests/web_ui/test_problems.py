"""Each type of problem is said, in the language of whoever reads it."""

import re

import pytest

from dctnet.api.problems import (
    DRAINING,
    INTERNAL_ERROR,
    MEDIA_TYPE,
    OVERLOADED,
    PROBLEM_TYPES,
    STARTING,
    UNAUTHORIZED,
)
from tests.support.browser import Browser
from tests.web_ui.conftest import PORTRAIT
from tests.web_ui.stand_in import Answer, problem

ENGLISH, CHINESE = "#languages [value=en]", "#languages [value=zh]"
PASSING = (OVERLOADED, STARTING, DRAINING)


def said(browser: Browser) -> str:
    """What the page says of a problem: aloud at once, or where it only takes patience, politely."""
    return browser.text("#problem") or browser.text("#status")


@pytest.mark.promise("Page: a portrait becomes a cartoon, and a full queue is waited out")
def test_a_problem_is_said_in_both_languages(stand_in, page, small):
    texts: list[str] = []
    for problem_type in PROBLEM_TYPES:
        stand_in.answers.append(problem(problem_type, 3600 if problem_type in PASSING else None))
        page.choose(small)
        page.reach("waiting", "failed", "worthAClick", "locked")
        assert (page.state() == "waiting") == (problem_type in PASSING), problem_type
        assert (page.state() == "locked") == (problem_type is UNAUTHORIZED), problem_type
        english = said(page)
        page[CHINESE].click()
        chinese = said(page)
        page[ENGLISH].click()
        assert re.fullmatch(r"[ -~]{20,}", english), problem_type
        assert re.search(r"[\u4e00-\u9fff]{4}", chinese), problem_type
        if problem_type is INTERNAL_ERROR:
            assert "the-id-of-the-request" in english
            assert "the-id-of-the-request" in chinese
        texts += [english, chinese]
    assert len(set(texts)) == 2 * len(PROBLEM_TYPES)
    assert not {"undefined", "NaN"} & set(" ".join(texts).split())


def test_the_answers_of_a_proxy_are_said_too(stand_in, page, small):
    for answer, text in [
        (Answer(413, b"<html>"), "too large"),
        (Answer(429, b"<html>"), "Many people are waiting"),
        (Answer(503, b"<html>"), "cannot be used right now"),
        (Answer(502, b"<html>"), "answered with status 502"),
        (Answer(400, b'{"type": ', {"Content-Type": MEDIA_TYPE}), "status 400"),
    ]:
        stand_in.answers.append(answer)
        page.choose(small)
        page.until(lambda text=text: text in said(page), lambda: said(page))


def test_a_server_that_is_out_of_reach_is_said_and_tried_again(page, small):
    with page.network(offline=True):
        page.choose(small)
        page.reach("worthAClick")
        assert "cannot be reached" in page.text("#problem")
        assert page.focused() == "again"
    page["#again"].click()
    page.reach("done")
    assert page.text("#problem") == ""


def test_a_file_that_is_too_large_is_not_sent(stand_in, page, tmp_path):
    path = tmp_path / "large.heic"
    path.write_bytes(bytes(10 * 1024 * 1024 + 1))
    page.choose(path)
    page.reach("failed")
    assert page.text("#problem") == "This file is too large: it may have at most 10.0 MiB."
    assert stand_in.received == []


def test_a_key_is_asked_for_and_kept_in_memory_alone(stand_in, page, small):
    assert not page.shows("#key")
    field = [page["#key"].get_attribute(name) for name in ("type", "autocomplete")]
    assert field == ["password", "off"]
    stand_in.answers.extend([problem(UNAUTHORIZED), problem(UNAUTHORIZED)])
    page.choose(small)
    page.reach("locked")
    assert page.focused() == "key"
    page["#key"].send_keys("a-wrong-key\n")
    page.until(lambda: page.text("#problem") == "This API key is not valid.")
    page["#key"].send_keys("the-right-key\n")
    page.reach("done")
    assert stand_in.keys == [None, "a-wrong-key", "the-right-key"]
    kept = page.run("return [localStorage.length, sessionStorage.length, document.cookie]")
    assert kept == [0, 0, ""]
    page.choose(PORTRAIT)
    page.until(lambda: len(stand_in.keys) == 4)
    assert stand_in.keys[3] == "the-right-key"
