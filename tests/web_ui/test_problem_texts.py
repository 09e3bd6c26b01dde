"""Problem texts: every problem type, in both languages."""

import base64
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
from dctnet.imaging.foreign import HEIC_ADVICE
from tests.support.browser import Browser
from tests.support.encoded_images import encoded, gradient
from tests.unit.test_imaging_foreign import NAMED
from tests.web_ui.conftest import PORTRAIT
from tests.web_ui.stand_in import CannedResponse, problem_response

ENGLISH, CHINESE = "#languages [value=en]", "#languages [value=zh]"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
TRANSIENT = (OVERLOADED, STARTING, DRAINING)


def problem_text(browser: Browser) -> str:
    """Return the text of a problem: an alert, or a status while the page retries."""
    return browser.text("#problem") or browser.text("#status")


@pytest.mark.promise("Web UI: a portrait becomes a cartoon, and a full queue is retried")
def test_every_problem_type_has_a_text_in_both_languages(stand_in, page, small):
    texts: list[str] = []
    for problem_type in PROBLEM_TYPES:
        stand_in.responses.append(
            problem_response(problem_type, 3600 if problem_type in TRANSIENT else None)
        )
        page.choose_file(small)
        page.wait_for_state("waiting", "failed", "retryable", "unauthorized")
        assert (page.state() == "waiting") == (problem_type in TRANSIENT), problem_type
        assert (page.state() == "unauthorized") == (problem_type is UNAUTHORIZED), problem_type
        english = problem_text(page)
        page[CHINESE].click()
        chinese = problem_text(page)
        page[ENGLISH].click()
        assert re.fullmatch(r"[ -~]{20,}", english), problem_type
        assert re.search(r"[\u4e00-\u9fff]{4}", chinese), problem_type
        if problem_type is INTERNAL_ERROR:
            assert "the-id-of-the-request" in english
            assert "the-id-of-the-request" in chinese
        texts += [english, chinese]
    assert len(set(texts)) == 2 * len(PROBLEM_TYPES)
    assert not {"undefined", "NaN"} & set(" ".join(texts).split())


def test_proxy_error_responses_have_a_text(stand_in, page, small):
    for response, text in [
        (CannedResponse(413, b"<html>"), "too large"),
        (CannedResponse(429, b"<html>"), "Many people are waiting"),
        (CannedResponse(503, b"<html>"), "is unavailable"),
        (CannedResponse(502, b"<html>"), "responded with status 502"),
        (CannedResponse(400, b'{"type": ', {"Content-Type": MEDIA_TYPE}), "status 400"),
    ]:
        stand_in.responses.append(response)
        page.choose_file(small)
        page.until(lambda text=text: text in problem_text(page), lambda: problem_text(page))


def test_unreachable_server_can_be_retried(page, small):
    with page.emulate_network(offline=True):
        page.choose_file(small)
        page.wait_for_state("retryable")
        assert "cannot be reached" in page.text("#problem")
        assert page.focused_element() == "retry"
    page["#retry"].click()
    page.wait_for_state("done")
    assert page.text("#problem") == ""


def test_too_large_file_is_not_sent(stand_in, page, tmp_path):
    path = tmp_path / "large.heic"
    path.write_bytes(bytes(24 * 1024 * 1024 + 1))
    page.choose_file(path)
    page.wait_for_state("failed")
    assert page.text("#problem") == "This file is too large: the limit is 24.0 MiB."
    assert stand_in.received == []


def test_format_is_named_before_the_size(stand_in, page, tmp_path):
    path = tmp_path / "large.heic"
    for head, text in (HEIC, HEIC_ADVICE), (b"%PDF-1.7", "This is a PDF document, which is not"):
        path.write_bytes(head + bytes(25 * 1024 * 1024))
        page.choose_file(path)
        page.until(lambda text=text: page.text("#problem").startswith(text))
        page[CHINESE].click()
        assert re.match(r"这是 (HEIC 图片|PDF 文档)", page.text("#problem"))
        page[ENGLISH].click()
    assert stand_in.received == []


def test_large_heic_is_too_large_where_heic_is_decoded(page, tmp_path):
    page.run(
        "const module = document.querySelector(`link[href$='/limits.js']`).href;"
        "(await import(module)).limits.heic = 1;"
    )
    path = tmp_path / "large.heic"
    path.write_bytes(HEIC + bytes(25 * 1024 * 1024))
    page.choose_file(path)
    page.wait_for_state("failed")
    assert page.text("#problem") == "This file is too large: the limit is 24.0 MiB."


FORMAT_SCRIPT = """
    const moduleOf = (name) => import(document.querySelector(`link[href$='/${name}']`).href);
    const { unsupportedFormat } = await moduleOf("image_format.js");
    const { default: texts } = await moduleOf("locales/en.js");
    const blob = (base64) => new Blob([Uint8Array.from(atob(base64), (it) => it.charCodeAt(0))]);
    const formats = await Promise.all(args[0].map((it) => unsupportedFormat(blob(it))));
    return formats.map((format) => texts["problem-unsupported-format"]({ format }));
"""


def test_page_and_server_name_the_same_formats(page):
    accepted = [encoded(gradient(8, 8), format) for format in ("JPEG", "PNG", "WEBP", "AVIF")]
    unknown = [*accepted, bytes(100), accepted[3].replace(b"avif", b"mif1", 1)]
    samples = [*(data for data, _ in NAMED), HEIC, *unknown]
    texts = page.run(FORMAT_SCRIPT, [base64.b64encode(data).decode() for data in samples])
    choose = "is not supported. Choose a JPEG, PNG, WebP or AVIF file."
    assert texts == [
        *(f"This is {name}, which {choose}" for _, name in NAMED),
        HEIC_ADVICE,
        *[f"This file format {choose}"] * len(unknown),
    ]


def test_api_key_is_requested_and_kept_in_memory_only(stand_in, page, small):
    assert not page.is_visible("#api-key")
    field = [page["#api-key"].get_attribute(name) for name in ("type", "autocomplete")]
    assert field == ["password", "off"]
    stand_in.responses.extend([problem_response(UNAUTHORIZED), problem_response(UNAUTHORIZED)])
    page.choose_file(small)
    page.wait_for_state("unauthorized")
    assert page.focused_element() == "api-key"
    page["#api-key"].send_keys("a-wrong-key\n")
    page.until(lambda: page.text("#problem") == "This API key is not valid.")
    page["#api-key"].send_keys("the-right-key\n")
    page.wait_for_state("done")
    assert stand_in.keys == [None, "a-wrong-key", "the-right-key"]
    kept = page.run("return [localStorage.length, sessionStorage.length, document.cookie]")
    assert kept == [0, 0, ""]
    page.choose_file(PORTRAIT)
    page.until(lambda: len(stand_in.keys) == 4)
    assert stand_in.keys[3] == "the-right-key"
