"""The API's page, to which the page for people leads."""

from tests.page.stand_in import StandIn
from tests.support.browser import DESKTOP, PHONE

UNFOLD = "for (const example of document.querySelectorAll('details')) example.open = true"


def test_everybody_can_read_what_the_api_does(browser, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-the-docs-test")
    with StandIn(DCTNET_API_KEYS_FILE=keys).running() as stand_in:
        browser.open(stand_in.url)
        browser["a[href=docs]"].click()
        browser.until(lambda: browser.shows("#draw", "#problems", "#headers", "#objects"))
        browser.run(UNFOLD)
        for size, dark in (DESKTOP, False), (PHONE, True):
            browser.emulate(size, dark=dark)
            assert browser.barriers() == []
        assert browser.complaints() == []
