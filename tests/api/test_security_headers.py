"""Security headers of every response."""

import pytest


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/health", "/v1/styles", "/nothing", "/v1/cartoons"]
)
def test_security_headers(client, path):
    response = client.get(path)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    is_page = path in {"/", "/docs"}
    assert (response.mimetype == "text/html") == is_page
    assert ("Content-Security-Policy" in response.headers) == is_page
    if is_page:
        assert set(response.headers["Content-Security-Policy"].split("; ")) == {
            *("default-src 'none'", "script-src 'self'", "style-src 'self'"),
            *("img-src 'self' blob:", "connect-src 'self'", "base-uri 'none'"),
            *("form-action 'none'", "frame-ancestors 'none'"),
        }
