"""Answers held to the OpenAPI document of the server that gave them."""

import re
from typing import Any

import jsonschema
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from dctnet.api.docs import resolve

ROUTING_ERRORS = {404: "not-found", 405: "method-not-allowed"}


def openapi_document(app: Flask) -> dict[str, Any]:
    """Return the document of an application."""
    document: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return document


def require_documented(app: Flask, document: dict[str, Any], response: TestResponse) -> None:
    """Raise AssertionError unless the document tells of such an answer, and of all its headers."""
    request = response.request
    adapter = app.url_map.bind("localhost")
    try:
        rule, _ = adapter.match(request.path, request.method, return_rule=True)
    except HTTPException:
        described = document["components"]["responses"][ROUTING_ERRORS[response.status_code]]
    else:
        if request.method == "OPTIONS":
            return
        operation = document["paths"][path_template(rule)][
            request.method.lower().replace("head", "get")
        ]
        described = operation["responses"][str(response.status_code)]
    _require_headers(document, described, response)
    content = described.get("content", {})
    assert bool(content) == ("Content-Type" in response.headers)
    if content:
        content = content[response.mimetype]
    if "schema" in content and request.method != "HEAD":
        _require_valid(document, content["schema"], response.get_json())


def path_template(rule: Rule) -> str:
    """Return the path of a route, as the document writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def _require_headers(document: dict[str, Any], described: Any, response: TestResponse) -> None:
    known = document["components"]["headers"]
    assert {name for name in known if name in response.headers} == set(described["headers"])
    for name, header in described["headers"].items():
        schema = resolve(document, header)["schema"]
        text = response.headers[name]
        _require_valid(document, schema, int(text) if schema.get("type") == "integer" else text)


def _require_valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    whole = {"components": document["components"], **schema}
    jsonschema.Draft202012Validator(whole).validate(value)
