"""Hooks for schemathesis; the variable `SCHEMATHESIS_HOOKS` names this module."""

import json

import schemathesis
from hypothesis import strategies

from dctnet.api import openapi
from tests.support.encoded_images import encoded, gradient

SIZES = [(1, 1), (3, 40), (40, 24)]

UNKNOWN_HEADER = "x-schemathesis-unknown-property"

DOCUMENT = json.loads(openapi.FILE.read_bytes())
MEDIA_TYPES = DOCUMENT["paths"]["/v1/cartoons"]["post"]["requestBody"]["content"]

# schemathesis cannot generate images.
for media_type in MEDIA_TYPES.keys() - {"multipart/form-data"}:
    kind, _, subtype = media_type.partition("/")
    format = subtype.upper() if kind == "image" else "PNG"
    images = [encoded(gradient(*size), format) for size in SIZES]
    schemathesis.openapi.media_type(media_type, strategies.sampled_from(images))


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Skip requests with an undocumented header, or with parameters that exclude each other.

    Servers ignore unknown headers (RFC 9110, 5.1), and browsers and proxies add some. schemathesis
    allows them by default, but not next to a numeric header. OpenAPI cannot express that the server
    rejects a parameter in query and form, and transparency in a JPEG.
    """
    form, query = case.body if isinstance(case.body, dict) else {}, case.query or {}
    values = {**form, **query}
    is_transparent_jpeg = (values.get("background"), values.get("format")) == ("keep", "jpeg")
    return (
        UNKNOWN_HEADER not in (case.headers or {})
        and form.keys().isdisjoint(query)
        and not is_transparent_jpeg
    )
