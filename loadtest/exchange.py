"""One request and what came back, whatever that was. Nothing is ever sent twice."""

import asyncio
import email.utils
from dataclasses import dataclass
from io import BytesIO

import aiohttp

from loadtest.images import SourceImage

TRUNCATED = "truncated"
"""The kind of an answer whose body ended early."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole HTTP answer."""

    status: int
    content_type: str
    """Without parameters, in lower case; empty where there is none."""
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no whole answer."""

    reason: str
    """``connect``, ``timeout``, ``reset``, ``protocol`` or TRUNCATED."""
    detail: str
    status: int | None = None
    """Set where the head of the answer had come."""
    retry_after: str | None = None


async def post_image(
    session: aiohttp.ClientSession, url: str, image: SourceImage
) -> Response | Failure:
    """Send an image once; return as soon as the last byte of the answer is there."""
    status: int | None = None
    retry_after: str | None = None
    try:
        async with session.post(
            url,
            data=BytesIO(image.data),  # Which aiohttp sends in pieces, with others between.
            headers={"Content-Type": image.media_type},
            allow_redirects=False,
        ) as response:
            status = response.status
            retry_after = response.headers.get("Retry-After")
            content_type = response.headers.get("Content-Type", "").partition(";")[0]
            body = await response.read()
            return Response(status, content_type.strip().lower(), retry_after, body)
    except TimeoutError:
        return Failure("timeout", "No whole answer came in time.", status, retry_after)
    except aiohttp.ClientConnectorError as error:
        return Failure("connect", f"{error}.")
    except aiohttp.ClientResponseError as error:
        return Failure("protocol", f"The answer is not HTTP: {error.message}.")
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        reason = "reset" if status is None else TRUNCATED
        return Failure(reason, f"{error or type(error).__name__}.", status, retry_after)


def is_valid_retry_after(value: str | None) -> bool:
    """Whether this is a number of seconds or a date, as RFC 9110 has it."""
    if value is None:
        return False
    if value.isascii() and value.isdigit():
        return True
    try:
        email.utils.parsedate_to_datetime(value)
    except ValueError:
        return False
    return True
