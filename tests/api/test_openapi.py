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
from tests.support.openapi_validation import document_of, template

JPEG = encoded(gradient(40, 24), "JPEG")


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return document_of(client.application)


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize("fixture", ["client", "locked", "starting"])
def test_it_is_valid(request, fixture):
    response = request.getfixturevalue(fixture).get("/openapi.json")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    OpenAPIV31SpecValidator(response.get_json()).validate()
    assert response.get_json()["openapi"].startswith("3.1.")
    assert response.get_json()["info"]["version"] == dctnet.__version__


def test_it_has_every_route_and_no_other(client, document):
    routes = {
        (template(rule), method)
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(document)} == routes


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for _, _, operation in operations(document))


def test_every_kind_of_problem_has_an_example_that_is_one(document):
    examples = document["components"]["examples"]
    assert list(examples) == [problem_type.slug for problem_type in PROBLEM_TYPES]
    schema = {"components": document["components"], "$ref": "#/components/schemas/Problem"}
    for problem_type in PROBLEM_TYPES:
        value = examples[problem_type.slug]["value"]
        jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)
        assert (value["type"], value["status"]) == (problem_type.uri, problem_type.status)


def test_every_kind_of_problem_is_in_an_answer_of_its_status(locked):
    document = document_of(locked.application)
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


PROVOKED: dict[ProblemType, Callable[[FlaskClient], TestResponse]] = {
    problems.MISSING_IMAGE: lambda client: post(client, "", b""),
    problems.UNAUTHORIZED: lambda client: client.post("/v1/cartoons", headers={"X-Api-Key": "x"}),
    problems.METHOD_NOT_ALLOWED: lambda client: client.delete("/health"),
    problems.UNSUPPORTED_FORMAT: lambda client: post(client, "", b"hello"),
    problems.DAMAGED_IMAGE: lambda client: post(client, "", JPEG[:-30]),
    problems.BAD_PARAMETER: lambda client: post(client, "?format=gif"),
}


@pytest.mark.parametrize("problem_type", PROVOKED, ids=lambda problem_type: problem_type.slug)
def test_an_example_says_what_the_server_says(locked, problem_type):
    problem = PROVOKED[problem_type](locked).get_json()
    assert problem["type"] == problem_type.uri
    assert problem["detail"] == EXAMPLES[problem_type]


def test_an_example_says_what_the_table_of_problems_says():
    details: dict[ProblemType, set[str]] = {}
    for problem_type, detail in [*problems._BY_REASON.values(), *problems._BY_ERROR.values()]:
        details.setdefault(problem_type, set()).add(detail)
    assert len(details) == 7
    for problem_type, said in details.items():
        assert EXAMPLES[problem_type] in said


def test_it_has_what_the_server_answers_to_no_request():
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
def test_an_image_may_be_of_each_type_that_it_names(client, media_type):
    image = encoded(gradient(40, 24), media_type.removeprefix("image/").upper())
    response = client.post("/v1/cartoons", data=image, content_type=media_type)
    assert response.status_code == 200


def test_it_tells_of_the_settings_and_of_the_model(settings):
    settings = replace(settings, max_body_bytes=54321, max_pixels=12345, request_timeout=7.5)
    document = document_of(client_of(settings, replace(MODEL, style="ink")).application)
    parameters = document["components"]["parameters"]
    assert parameters["style"]["schema"] == {"enum": ["ink"], "default": "ink"}
    assert parameters["format"]["schema"] == {"enum": ["png", "jpeg", "webp"], "default": "png"}
    assert parameters["timeout"]["schema"]["default"] == 7.5
    for path in "/v1/cartoons", "/upload":
        body = document["paths"][path]["post"]["requestBody"]
        assert "at most 54321 bytes and 12345 pixels" in body["description"]


def test_keys_are_in_it_where_they_are_asked_for(document, locked):
    for told, asks in ((document, False), (document_of(locked.application), True)):
        for path, _, operation in operations(told):
            wanted = asks and path in {"/v1/cartoons", "/upload"}
            assert ("security" in operation) == wanted
            assert ("401" in operation["responses"]) == wanted
            if wanted:
                assert operation["security"] == [{"bearer": []}, {"key": []}]
