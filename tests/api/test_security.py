"""What every answer tells the browser that reads it."""

import pytest
from flask.testing import FlaskClient

PATHS = ["/", "/docs", "/openapi.json", "/health", "/v1/styles", "/nothing", "/v1/cartoons"]


@pytest.mark.parametrize("path", PATHS)
def test_no_browser_guesses_a_type_names_the_page_or_embeds_an_answer(
    client: FlaskClient, path: str
) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("path", PATHS)
def test_a_page_loads_nothing_but_its_own_files(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    is_page = path in {"/", "/docs"}
    assert (response.mimetype == "text/html") == is_page
    assert ("Content-Security-Policy" in response.headers) == is_page
    if is_page:
        policy = response.headers["Content-Security-Policy"]
        assert "'unsafe" not in policy
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(
            policy.split("; ")
        )
