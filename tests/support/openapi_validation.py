"""Validation of responses against the server's OpenAPI document."""

import re
from typing import Any

import jsonschema
import yaml
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from dctnet.api.docs import resolve
from dctnet.api.static_files import static_paths
from tests.support.repo import ROOT

ROUTING_ERRORS = {404: "NotFound", 405: "MethodNotAllowed"}


def openapi_document(app: Flask) -> dict[str, Any]:
    """Return the document of an application."""
    document: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return document


def with_pages(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the pages' operations added."""
    pages = yaml.safe_load((ROOT / "tests/support/page_operations.yaml").read_text())
    static_file = pages["paths"]["/static/{path}"]["get"]
    static_file["parameters"][-1]["schema"]["enum"] = sorted(static_paths().values())
    headers = document["components"]["headers"] | pages["components"]["headers"]
    return document | {
        "paths": document["paths"] | pages["paths"],
        "components": document["components"] | {"headers": headers},
    }


def require_documented(app: Flask, document: dict[str, Any], response: TestResponse) -> None:
    """Raise AssertionError unless the document describes the whole response."""
    request = response.request
    adapter = app.url_map.bind("localhost")
    try:
        rule, _ = adapter.match(request.path, request.method, return_rule=True)
    except HTTPException:
        expected = document["components"]["responses"][ROUTING_ERRORS[response.status_code]]
    else:
        if request.method == "OPTIONS":
            return
        method = request.method.lower().replace("head", "get")
        operation = document["paths"][path_template(rule)][method]
        expected = resolve(document, operation["responses"][str(response.status_code)])
    _require_headers(document, expected, response)
    content = expected.get("content", {})
    assert bool(content) == ("Content-Type" in response.headers)
    if content:
        content = content[response.mimetype]
    if "schema" in content and response.is_json and request.method != "HEAD":
        _require_valid(document, content["schema"], response.get_json())


def path_template(rule: Rule) -> str:
    """Return the path of a route in OpenAPI's notation."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def _require_headers(document: dict[str, Any], expected: Any, response: TestResponse) -> None:
    known = document["components"]["headers"]
    assert {name for name in known if name in response.headers} == set(expected["headers"])
    for name, header in expected["headers"].items():
        schema = resolve(document, header)["schema"]
        text = response.headers[name]
        _require_valid(document, schema, int(text) if schema.get("type") == "integer" else text)


def _require_valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    whole = {"components": document["components"], **schema}
    jsonschema.Draft202012Validator(whole).validate(value)
