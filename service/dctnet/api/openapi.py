"""``GET /openapi.json``: the API as an OpenAPI 3.1 document.

``openapi.yaml`` is the source. The server reads its copy in JSON, because the standard library has
no YAML parser, and fills in its version, styles, limits and security.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from flask import Response, json

from dctnet import __version__
from dctnet.config import Settings
from dctnet.replica import Replica

FILE = Path(__file__).with_suffix(".json")

Object = dict[str, Any]


def openapi_view(replica: Replica) -> Callable[[], Response]:
    """Make the view function."""
    _source()

    @lru_cache(1)  # The document changes only with the loaded styles.
    def text(_styles: tuple[str, ...]) -> str:
        document = openapi_document(replica)
        return json.dumps(document, sort_keys=False, ensure_ascii=False, indent=2) + "\n"

    def openapi() -> Response:
        return Response(text(tuple(replica.models)), content_type="application/json")

    return openapi


def openapi_document(replica: Replica) -> Object:
    """Return the OpenAPI document of a server."""
    document: Object = json.loads(_source())
    document["info"]["version"] = __version__
    _set_styles(document, replica)
    _set_limits(document, replica.settings)
    if not replica.api_keys:
        _remove_security(document)
    return document


@cache
def _source() -> bytes:
    """Return the file's content, read once: file descriptors may run out later."""
    return FILE.read_bytes()


def _set_styles(document: Object, replica: Replica) -> None:
    styles = list(replica.models)
    body = document["paths"]["/v1/cartoons"]["post"]["requestBody"]
    form = body["content"]["multipart/form-data"]["schema"]
    form["properties"]["style"]["enum"] = styles
    document["components"]["parameters"]["Style"]["schema"]["enum"] = styles
    for parameter in document["paths"]["/v1/styles/{style}/sample"]["get"]["parameters"]:
        if parameter.get("name") == "style":
            parameter["schema"]["enum"] = styles


def _set_limits(document: Object, settings: Settings) -> None:
    timeout = document["components"]["parameters"]["RequestTimeout"]
    timeout["schema"]["default"] = settings.request_timeout
    limits = f"{settings.max_body_bytes} bytes and {settings.max_pixels} pixels"
    for operation in _cartoon_operations(document):
        body = operation["requestBody"]
        if settings.heic:
            body["description"] = f"A JPEG, PNG, WebP, AVIF or HEIC image of at most {limits}."
            if avif := body["content"].get("image/avif"):
                body["content"]["image/heic"] = avif
        else:
            body["description"] = f"A JPEG, PNG, WebP or AVIF image of at most {limits}."


def _remove_security(document: Object) -> None:
    for operation in _cartoon_operations(document):
        del operation["security"], operation["responses"]["401"]


def _cartoon_operations(document: Object) -> list[Object]:
    return [document["paths"][path]["post"] for path in ("/v1/cartoons", "/upload")]
