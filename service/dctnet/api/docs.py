"""``GET /docs``: the OpenAPI document as a page, without a script or anything from elsewhere."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Response, json, make_response, render_template
from markupsafe import Markup, escape

from dctnet.api import static_files

Object = dict[str, Any]

# What its texts have of CommonMark.
_CODE = re.compile(r"`([^`]+)`")


def docs_view(document: Object) -> Callable[[], Response]:
    """Make the view function."""
    paths = static_files.static_paths()

    @cache  # Nothing of it changes while the server runs.
    def html() -> str:
        return render_template(
            "docs.html",
            static_paths=paths,
            document=document,
            resolve=lambda part: resolve(document, part),
            render_markup=render_markup,
            as_json=lambda value: json.dumps(value, sort_keys=False, ensure_ascii=False, indent=2),
        )

    def docs() -> Response:
        response = make_response(html())
        response.headers["Cache-Control"] = "no-cache"  # It names the files of one release.
        return response

    return docs


def resolve(document: Object, part: Object) -> Object:
    """Return a part of the document, or what it refers to."""
    while "$ref" in part:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def render_markup(text: str) -> Markup:
    """Return a text as HTML: its paragraphs, and what is between backticks as code."""
    paragraphs = _CODE.sub(r"<code>\1</code>", str(escape(text))).split("\n\n")
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))  # noqa: S704 - Escaped.
