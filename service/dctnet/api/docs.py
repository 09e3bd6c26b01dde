"""``GET /docs``: the OpenAPI document as an HTML page without scripts."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Response, json, make_response, render_template
from markupsafe import Markup, escape

from dctnet.api import static_files
from dctnet.api.openapi import openapi_document
from dctnet.replica import Replica

Object = dict[str, Any]

# The only inline markup of the descriptions.
_CODE = re.compile(r"`([^`]+)`")


def docs_view(replica: Replica) -> Callable[[], Response]:
    """Make the view function."""
    paths = static_files.static_paths()

    @lru_cache(1)  # The document changes only with the loaded styles.
    def html(_styles: tuple[str, ...]) -> str:
        document = openapi_document(replica)
        return render_template(
            "docs.html",
            static_paths=paths,
            document=document,
            resolve=lambda part: resolve(document, part),
            render_markup=render_markup,
            as_json=lambda value: json.dumps(value, sort_keys=False, ensure_ascii=False, indent=2),
        )

    def docs() -> Response:
        response = make_response(html(tuple(replica.models)))
        response.headers["Cache-Control"] = "no-cache"  # It links the static files of one release.
        return response

    return docs


def resolve(document: Object, part: Object) -> Object:
    """Return a part of the document, with a ``$ref`` replaced by its target."""
    while "$ref" in part:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def render_markup(text: str) -> Markup:
    """Return a description as HTML, with its paragraphs and `code`."""
    paragraphs = _CODE.sub(r"<code>\1</code>", str(escape(text))).split("\n\n")
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))  # noqa: S704 - Escaped.
