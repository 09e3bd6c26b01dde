"""``GET /openapi.json``: valid, whole, and of this very server.

That answers are as it says is held by every test of this folder: see `conftest.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient
from gunicorn.http import errors
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

import dctnet
from dctnet.api import problems
from dctnet.api.openapi import EXAMPLES, READ, UNSERVABLE
from dctnet.api.problems import PROBLEM_TYPES, ProblemType
from dctnet.server import protocol_errors
from tests.api.conftest import IMAGE, KEYS, MODEL, client_of
from tests.support.encoded_images import encoded, gradient
from tests.support.openapi_validation import openapi_document, path_template

JPEG = encoded(gradient(40, 24), "JPEG")


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return openapi_document(client.application)


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize("fixture", ["client", "client_with_keys", "starting_client"])
def test_document_is_valid_openapi(request, fixture):
    response = request.getfixturevalue(fixture).get("/openapi.json")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    OpenAPIV31SpecValidator(response.get_json()).validate()
    assert response.get_json()["openapi"].startswith("3.1.")
    assert response.get_json()["info"]["version"] == dctnet.__version__


def test_document_has_every_route(client, document):
    routes = {
        (path_template(rule), method)
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(document)} == routes


def test_operations_have_unique_ids_and_summaries(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for _, _, operation in operations(document))


def test_every_problem_type_has_a_valid_example(document):
    examples = document["components"]["examples"]
    assert list(examples) == [problem_type.slug for problem_type in PROBLEM_TYPES]
    schema = {"components": document["components"], "$ref": "#/components/schemas/Problem"}
    for problem_type in PROBLEM_TYPES:
        value = examples[problem_type.slug]["value"]
        jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)
        assert (value["type"], value["status"]) == (problem_type.uri, problem_type.status)


def test_every_problem_type_is_in_a_response_of_its_status(client_with_keys):
    document = openapi_document(client_with_keys.application)
    answers = [
        (status, answer)
        for _, _, operation in operations(document)
        for status, answer in operation["responses"].items()
    ]
    answers += [("405", document["components"]["responses"]["method-not-allowed"])]
    found = {
        (example["$ref"].rpartition("/")[2], status)
        for status, answer in answers
        for content in answer.get("content", {}).values()
        for example in content.get("examples", {}).values()
        if "$ref" in example
    }
    assert found == {
        (problem_type.slug, str(problem_type.status)) for problem_type in PROBLEM_TYPES
    }


def post(client: FlaskClient, query: str, data: bytes = IMAGE) -> TestResponse:
    return client.post(f"/v1/cartoons{query}", data=data, headers={"X-Api-Key": KEYS[0]})


PROVOKE: dict[ProblemType, Callable[[FlaskClient], TestResponse]] = {
    problems.MISSING_IMAGE: lambda client: post(client, "", b""),
    problems.UNAUTHORIZED: lambda client: client.post("/v1/cartoons", headers={"X-Api-Key": "x"}),
    problems.METHOD_NOT_ALLOWED: lambda client: client.delete("/health"),
    problems.UNSUPPORTED_FORMAT: lambda client: post(client, "", b"hello"),
    problems.DAMAGED_IMAGE: lambda client: post(client, "", JPEG[:-30]),
    problems.BAD_PARAMETER: lambda client: post(client, "?format=gif"),
}


@pytest.mark.parametrize("problem_type", PROVOKE, ids=lambda problem_type: problem_type.slug)
def test_problem_example_matches_the_server_response(client_with_keys, problem_type):
    problem = PROVOKE[problem_type](client_with_keys).get_json()
    assert problem["type"] == problem_type.uri
    assert problem["detail"] == EXAMPLES[problem_type]


def test_problem_example_matches_the_problem_tables():
    details: dict[ProblemType, set[str]] = {}
    for problem_type, detail in [*problems._BY_REASON.values(), *problems._BY_ERROR.values()]:
        details.setdefault(problem_type, set()).add(detail)
    assert len(details) == 7
    for problem_type, said in details.items():
        assert EXAMPLES[problem_type] in said


def test_protocol_errors_are_documented():
    slow, malformed = protocol_errors.ReadTimeout(), errors.ParseException()
    failures = [slow, malformed, *(failure.__new__(failure) for failure in protocol_errors._STATUS)]
    statuses = set()
    for failure in failures:
        answer = protocol_errors.protocol_error_response(failure)
        problem_type, detail = UNSERVABLE[answer.status]
        assert f'"{problem_type.uri}"'.encode() in answer.data
        assert f'"{detail}"'.encode() in answer.data
        statuses.add(answer.status)
    assert statuses == set(UNSERVABLE)


@pytest.mark.parametrize("media_type", READ)
def test_documented_media_types_are_accepted(client, media_type):
    image = encoded(gradient(40, 24), media_type.removeprefix("image/").upper())
    response = client.post("/v1/cartoons", data=image, content_type=media_type)
    assert response.status_code == 200


def test_document_has_the_limits_and_the_style(settings):
    settings = replace(settings, max_body_bytes=54321, max_pixels=12345, request_timeout=7.5)
    document = openapi_document(client_of(settings, replace(MODEL, style="ink")).application)
    parameters = document["components"]["parameters"]
    assert parameters["style"]["schema"] == {"enum": ["ink"], "default": "ink"}
    assert parameters["format"]["schema"] == {"enum": ["png", "jpeg", "webp"], "default": "png"}
    assert parameters["timeout"]["schema"]["default"] == 7.5
    for path in "/v1/cartoons", "/upload":
        body = document["paths"][path]["post"]["requestBody"]
        assert "at most 54321 bytes and 12345 pixels" in body["description"]


def test_security_is_documented_when_keys_are_required(document, client_with_keys):
    for told, asks in ((document, False), (openapi_document(client_with_keys.application), True)):
        for path, _, operation in operations(told):
            wanted = asks and path in {"/v1/cartoons", "/upload"}
            assert ("security" in operation) == wanted
            assert ("401" in operation["responses"]) == wanted
            if wanted:
                assert operation["security"] == [{"bearer": []}, {"key": []}]
