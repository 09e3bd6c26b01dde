"""Languages: English and Chinese, by browser setting or by choice."""

import re

import pytest

from tests.support.browser import Browser

ENGLISH, CHINESE = "#languages [value=en]", "#languages [value=zh]"


def heading(browser: Browser) -> tuple[str, str | None]:
    return browser.text("h1"), browser["html"].get_attribute("lang")


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("en-US", ("Portrait to cartoon", "en")),
        ("zh-CN,en", ("人像转卡通", "zh-CN")),
        ("de-DE,zh-TW,en", ("人像转卡通", "zh-CN")),
        ("de-DE,fr", ("Portrait to cartoon", "en")),
    ],
)
def test_first_supported_browser_language_is_used(stand_in, browser, accepted, expected):
    browser.open(stand_in.url, language=accepted)
    assert heading(browser) == expected
    assert browser.driver.title == expected[0]


def test_chosen_language_is_remembered(page):
    page[CHINESE].click()
    assert heading(page) == ("人像转卡通", "zh-CN")
    assert page[CHINESE].get_attribute("aria-pressed") == "true"
    assert page[ENGLISH].get_attribute("aria-pressed") == "false"
    page.driver.refresh()
    page.until(lambda: heading(page) == ("人像转卡通", "zh-CN"))


def test_every_text_is_translated(page, small):
    page.choose_file(small)
    page.wait_for_state("done")
    texts = {}
    for language in CHINESE, ENGLISH:
        page[language].click()
        script = """
            const texts = [];
            for (const element of document.querySelectorAll("*")) {
              if (element.closest("noscript, #languages")) continue;
              for (const { name, value } of element.attributes) {
                if (/^(alt|title|aria-label|aria-valuetext)$/.test(name)) texts.push(value);
              }
              if (element.children.length === 0) texts.push(element.textContent.trim());
            }
            return texts.filter((text) => text !== "");
        """
        texts[language] = page.run(script)
    assert len(texts[ENGLISH]) == len(texts[CHINESE]) > 25
    same = {a for a, b in zip(texts[ENGLISH], texts[CHINESE], strict=True) if a == b}
    # A style without a translation, and a word that is the same in both.
    assert same == {"Tiny", "API"}
    assert not re.search(r"[\u4e00-\u9fff]", "".join(texts[ENGLISH]))


def test_language_switch_without_local_storage(stand_in, browser):
    source = """
        Object.defineProperty(window, "localStorage", { get() { throw new Error("forbidden"); } });
    """
    script = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=source)
    try:
        browser.open(stand_in.url)
        browser[CHINESE].click()
        assert heading(browser) == ("人像转卡通", "zh-CN")
    finally:
        browser.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
