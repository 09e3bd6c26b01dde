"""Each type of problem is said, in the language of whoever reads it."""

import re

import pytest

from dctnet.http.problems import (
    DRAINING,
    FULL,
    INTERNAL,
    KINDS,
    MEDIA_TYPE,
    STARTING,
    UNAUTHORIZED,
)
from tests.page.conftest import PORTRAIT
from tests.page.stand_in import Answer, problem
from tests.support.browser import Browser

ENGLISH, CHINESE = "#languages [value=en]", "#languages [value=zh]"
PASSING = (FULL, STARTING, DRAINING)


def said(browser: Browser) -> str:
    """What the page says of a problem: aloud at once, or where it only takes patience, politely."""
    return browser.text("#problem") or browser.text("#status")


@pytest.mark.promise("Page: a portrait becomes a cartoon, and a full queue is waited out")
def test_a_problem_is_said_in_both_languages(stand_in, browser, small):
    browser.open(stand_in.url)
    texts: list[str] = []
    for kind in KINDS:
        stand_in.answers.append(problem(kind, 3600 if kind in PASSING else None))
        browser.choose(small)
        browser.reach("waiting", "failed", "worthAClick", "locked")
        assert (browser.state() == "waiting") == (kind in PASSING), kind
        assert (browser.state() == "locked") == (kind is UNAUTHORIZED), kind
        english = said(browser)
        browser[CHINESE].click()
        chinese = said(browser)
        browser[ENGLISH].click()
        assert re.fullmatch(r"[ -~]{20,}", english), kind
        assert re.search(r"[\u4e00-\u9fff]{4}", chinese), kind
        if kind is INTERNAL:
            assert "the-id-of-the-request" in english
            assert "the-id-of-the-request" in chinese
        texts += [english, chinese]
    assert len(set(texts)) == 2 * len(KINDS)
    assert not {"undefined", "NaN"} & set(" ".join(texts).split())


def test_the_answers_of_a_proxy_are_said_too(stand_in, browser, small):
    browser.open(stand_in.url)
    for answer, text in [
        (Answer(413, b"<html>"), "too large"),
        (Answer(429, b"<html>"), "Many people are waiting"),
        (Answer(503, b"<html>"), "cannot be used right now"),
        (Answer(502, b"<html>"), "answered with status 502"),
        (Answer(400, b'{"type": ', {"Content-Type": MEDIA_TYPE}), "status 400"),
    ]:
        stand_in.answers.append(answer)
        browser.choose(small)
        browser.until(lambda text=text: text in said(browser), lambda: said(browser))


def test_a_server_that_is_out_of_reach_is_said_and_tried_again(stand_in, browser, small):
    browser.open(stand_in.url)
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.cdp("Network.enable")
    browser.cdp("Network.emulateNetworkConditions", offline=True, **conditions)
    try:
        browser.choose(small)
        browser.reach("worthAClick")
        assert "cannot be reached" in browser.text("#problem")
        assert browser.focused() == "again"
    finally:
        browser.cdp("Network.emulateNetworkConditions", offline=False, **conditions)
    browser["#again"].click()
    browser.reach("done")
    assert browser.text("#problem") == ""


def test_a_file_that_is_too_large_is_not_sent(stand_in, browser, tmp_path):
    browser.open(stand_in.url)
    path = tmp_path / "large.heic"
    path.write_bytes(bytes(10 * 1024 * 1024 + 1))
    browser.choose(path)
    browser.reach("failed")
    assert browser.text("#problem") == "This file is too large: it may have at most 10.0 MiB."
    assert stand_in.received == []


def test_a_key_is_asked_for_and_kept_in_memory_alone(stand_in, browser, small):
    browser.open(stand_in.url)
    stand_in.answers.extend([problem(UNAUTHORIZED), problem(UNAUTHORIZED)])
    browser.choose(small)
    browser.reach("locked")
    assert browser.focused() == "key"
    browser["#key"].send_keys("a-wrong-key\n")
    browser.until(lambda: browser.text("#problem") == "This API key is not valid.")
    browser["#key"].send_keys("the-right-key\n")
    browser.reach("done")
    assert stand_in.keys == [None, "a-wrong-key", "the-right-key"]
    kept = browser.run("return [localStorage.length, sessionStorage.length, document.cookie]")
    assert kept == [0, 0, ""]
    browser.choose(PORTRAIT)
    browser.until(lambda: len(stand_in.keys) == 4)
    assert stand_in.keys[3] == "the-right-key"
