"""Limits and timeout margins that the chart and single-host/ repeat: their one source.

`single-host/render.py` imports them; tests/chart/test_shared_facts.py compares the chart with them.
Imports nothing, so that it needs no package.
"""

from typing import Final

GRACEFUL_MARGIN_S: Final = 5
"""From the last request's deadline to the end of Gunicorn's graceful timeout, in seconds."""

TERMINATION_MARGIN_S: Final = 5
"""From Gunicorn's graceful timeout to SIGKILL by the kubelet, supervisord or Docker, in seconds."""

PROXY_READ_MARGIN_S: Final = 5
"""From the request timeout to the proxy's read timeout, in seconds: the 504 comes first."""

PROXY_TOTAL_MARGIN_S: Final = 10
"""From the request timeout to the proxy's timeout for all tries of a request, in seconds."""

FORM_OVERHEAD_BYTES: Final = 64 * 1024
"""Bytes that a form's boundaries, headers and other fields may add to the image's."""

SPARE_THREADS: Final = 256
"""Request threads beyond those of admitted requests, for slow request heads and rejections."""

MAX_WORKING_SIDE: Final = 1280
"""Default of the longest side at which the networks work, in pixels."""
