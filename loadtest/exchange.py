"""One HTTP request and its outcome, without retries."""

import asyncio
import email.utils
from dataclasses import dataclass
from io import BytesIO

import aiohttp

from loadtest.images import SourceImage

TRUNCATED = "truncated"
"""Reason for a response whose body ends early."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response."""

    status: int
    content_type: str
    """Media type in lower case without parameters; empty if missing."""
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Reason for the lack of a complete response."""

    reason: str
    """``connect``, ``timeout``, ``reset``, ``protocol`` or TRUNCATED."""
    detail: str
    status: int | None = None
    """Set if the response headers were received."""
    retry_after: str | None = None


async def post_image(
    session: aiohttp.ClientSession, url: str, image: SourceImage
) -> Response | Failure:
    """Post an image once; return after the last byte of the response."""
    status: int | None = None
    retry_after: str | None = None
    try:
        async with session.post(
            url,
            data=BytesIO(image.data),  # aiohttp sends it in chunks, which does not block the loop.
            headers={"Content-Type": image.media_type},
            allow_redirects=False,
        ) as response:
            status = response.status
            retry_after = response.headers.get("Retry-After")
            content_type = response.headers.get("Content-Type", "").partition(";")[0]
            body = await response.read()
            return Response(status, content_type.strip().lower(), retry_after, body)
    except TimeoutError:
        return Failure("timeout", "The response was not complete in time.", status, retry_after)
    except aiohttp.ClientConnectorError as error:
        return Failure("connect", f"{error}.")
    except aiohttp.ClientResponseError as error:
        return Failure("protocol", f"The response is not HTTP: {error.message}.")
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        reason = "reset" if status is None else TRUNCATED
        return Failure(reason, f"{error or type(error).__name__}.", status, retry_after)


def is_valid_retry_after(value: str | None) -> bool:
    """Whether this is a valid ``Retry-After``: seconds or a date (RFC 9110)."""
    if value is None:
        return False
    if value.isascii() and value.isdigit():
        return True
    try:
        email.utils.parsedate_to_datetime(value)
    except ValueError:
        return False
    return True
