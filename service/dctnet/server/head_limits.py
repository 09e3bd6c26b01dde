"""Limits of a request head, which Gunicorn enforces and the error responses name."""

MAX_REQUEST_LINE_BYTES, MAX_HEADERS, MAX_HEADER_BYTES = 4094, 100, 8190
"""Gunicorn's own limits, which are set to its defaults."""

MAX_HEAD_BYTES = 32 * 1024
"""Longest request head, in bytes: the request line and all headers."""
