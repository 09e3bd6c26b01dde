"""``GET /openapi.json``: the API as an OpenAPI 3.1 document.

``openapi.yaml`` is the source. The server reads its copy in JSON, because the standard library has
no YAML parser, and fills in its version, style, limits and security.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Response, json

from dctnet import __version__
from dctnet.config import Settings
from dctnet.replica import Replica

FILE = Path(__file__).with_suffix(".json")

Object = dict[str, Any]


def openapi_view(document: Object) -> Callable[[], Response]:
    """Make the view function."""
    text = json.dumps(document, sort_keys=False, ensure_ascii=False, indent=2) + "\n"
    return lambda: Response(text, content_type="application/json")


def openapi_document(replica: Replica) -> Object:
    """Return the OpenAPI document of a server."""
    document: Object = json.loads(FILE.read_bytes())
    document["info"]["version"] = __version__
    _set_style(document, replica.model.style)
    _set_limits(document, replica.settings)
    if not replica.api_keys:
        _remove_security(document)
    return document


def _set_style(document: Object, style: str) -> None:
    document["components"]["parameters"]["Style"]["schema"] = {"enum": [style], "default": style}
    for parameter in document["paths"]["/v1/styles/{style}/sample"]["get"]["parameters"]:
        if parameter.get("name") == "style":
            parameter["schema"]["enum"] = [style]


def _set_limits(document: Object, settings: Settings) -> None:
    timeout = document["components"]["parameters"]["RequestTimeout"]
    timeout["schema"]["default"] = settings.request_timeout
    limits = f"{settings.max_body_bytes} bytes and {settings.max_pixels} pixels"
    for operation in _cartoon_operations(document):
        body = operation["requestBody"]
        body["description"] = f"A JPEG, PNG, WebP or AVIF image of at most {limits}."


def _remove_security(document: Object) -> None:
    for operation in _cartoon_operations(document):
        del operation["security"], operation["responses"]["401"]


def _cartoon_operations(document: Object) -> list[Object]:
    return [document["paths"][path]["post"] for path in ("/v1/cartoons", "/upload")]
