"""What schemathesis is told before it sends anything: `SCHEMATHESIS_HOOKS` names this module."""

import schemathesis
from hypothesis import strategies

from dctnet.api.openapi import READ
from tests.support.encoded_images import encoded, gradient

SIZES = [(1, 1), (3, 40), (40, 24)]

UNKNOWN_HEADER = "x-schemathesis-unknown-property"

# It knows no images.
for media_type in (*READ, "application/octet-stream"):
    format = media_type.split("/")[1].upper() if media_type in READ else "PNG"
    images = [encoded(gradient(*size), format) for size in SIZES]
    schemathesis.openapi.media_type(media_type, strategies.sampled_from(images))


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out requests whose only fault is a header that the document does not name.

    HTTP has unknown headers ignored (RFC 9110, 5.1), and browsers and proxies add some. By itself
    schemathesis lets that pass too, but not beside a header that is a number.
    """
    return UNKNOWN_HEADER not in (case.headers or {})
