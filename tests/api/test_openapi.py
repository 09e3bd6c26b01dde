"""``GET /openapi.json``: the OpenAPI document of the server.

`conftest.py` validates every response of the tests in this folder against it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args
from urllib.parse import urljoin

import jsonschema
import pytest
import yaml
from flask.testing import FlaskClient
from gunicorn.http import errors
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

import dctnet
from dctnet.api import (
    authentication,
    cartoonize,
    deadline,
    openapi,
    options,
    problems,
    queue_tickets,
    request_id,
    upload_body,
)
from dctnet.api.docs import resolve
from dctnet.api.problems import PROBLEM_TYPES, ProblemType
from dctnet.cartoon_options import MAX_SIZE, MIN_SIZE
from dctnet.config import Settings
from dctnet.imaging import MEDIA_TYPES
from dctnet.lifecycle.state import State
from dctnet.models.folder import Integrity
from dctnet.server import protocol_errors
from tests.api.conftest import IMAGE, KEYS, MODEL, client_of
from tests.support.encoded_images import encoded, gradient
from tests.support.openapi_json import SOURCE, converted
from tests.support.openapi_validation import openapi_document, path_template, with_pages

JPEG = encoded(gradient(40, 24), "JPEG")
FILE = json.loads(openapi.FILE.read_bytes())
INPUT_TYPES = ["image/jpeg", "image/png", "image/webp", "image/avif"]


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return openapi_document(client.application)


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def responses(document: Any) -> list[tuple[str, str, Any]]:
    """Method, status and response of every operation, and of unknown methods."""
    documented = [
        (method, status, resolve(document, response))
        for _, method, operation in operations(document)
        for status, response in operation["responses"].items()
    ]
    unknown_method = document["components"]["responses"]["MethodNotAllowed"]
    return [*documented, ("any", "405", unknown_method)]


def test_json_copy_is_current():
    assert openapi.FILE.read_text() == converted(), "run `make openapi`"


def test_file_is_valid_openapi():
    OpenAPIV31SpecValidator(yaml.safe_load(SOURCE.read_text())).validate()


@pytest.mark.parametrize("fixture", ["client", "client_with_keys", "starting_client"])
def test_document_is_valid_openapi(request, fixture):
    response = request.getfixturevalue(fixture).get("/openapi.json")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    OpenAPIV31SpecValidator(response.get_json()).validate()
    OpenAPIV31SpecValidator(with_pages(response.get_json())).validate()
    assert response.get_json()["openapi"].startswith("3.1.")
    assert response.get_json()["info"]["version"] == dctnet.__version__


def test_document_has_every_route(client, document):
    routes = {
        (path_template(rule), method)
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    pages = {("/", "GET"), ("/docs", "GET"), ("/static/{path}", "GET")}
    assert {(path, method) for path, method, _ in operations(document)} == routes - pages
    assert {(path, method) for path, method, _ in operations(with_pages(document))} == routes


@pytest.mark.parametrize("prefix", ["", "/cartoons", "/a/b"])
def test_server_url_is_relative_to_a_path_prefix(document, prefix):
    (server,) = document["servers"]
    url = urljoin(f"https://example.org{prefix}/openapi.json", server["url"])
    # Clients drop the slash at its end before they append a path.
    assert url.rstrip("/") + "/v1/styles" == f"https://example.org{prefix}/v1/styles"


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
        assert value["title"] == examples[problem_type.slug]["summary"] == problem_type.title


def test_problem_schema_lists_every_problem_type(document):
    properties = document["components"]["schemas"]["Problem"]["properties"]
    assert properties["type"]["enum"] == [problem_type.uri for problem_type in PROBLEM_TYPES]
    assert properties["title"]["enum"] == [problem_type.title for problem_type in PROBLEM_TYPES]


def test_every_problem_type_is_in_a_response_of_its_status(client_with_keys):
    documented = {
        (example["$ref"].rpartition("/")[2], status)
        for _, status, response in responses(openapi_document(client_with_keys.application))
        for content in response.get("content", {}).values()
        for example in content.get("examples", {}).values()
        if "$ref" in example
    }
    assert documented == {
        (problem_type.slug, str(problem_type.status)) for problem_type in PROBLEM_TYPES
    }


def test_response_names_the_titles_of_its_problems(client_with_keys):
    document = openapi_document(client_with_keys.application)
    for _, _, response in responses(document):
        for content in response.get("content", {}).values():
            slugs = content.get("examples", {}).keys() - {"no-request"}
            examples = [document["components"]["examples"][slug] for slug in slugs]
            assert all(f"{example['summary']}." in response["description"] for example in examples)


def test_upload_examples_are_the_problem_examples(document):
    examples = document["components"]["examples"]
    upload = document["paths"]["/upload"]["post"]["responses"].values()
    for response in upload:
        content = resolve(document, response).get("content", {}).get("application/json", {})
        for slug, example in content.get("examples", {}).items():
            assert example["value"] == {"error": examples[slug]["value"]["detail"]}


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


def example_detail(problem_type: ProblemType) -> Any:
    return FILE["components"]["examples"][problem_type.slug]["value"]["detail"]


@pytest.mark.parametrize("problem_type", PROVOKE, ids=lambda problem_type: problem_type.slug)
def test_problem_example_matches_the_server_response(client_with_keys, problem_type):
    problem = PROVOKE[problem_type](client_with_keys).get_json()
    assert problem["type"] == problem_type.uri
    assert problem["detail"] == example_detail(problem_type)


def test_problem_example_matches_the_problem_tables():
    details: dict[ProblemType, set[str]] = {}
    for problem_type, detail in [*problems._BY_REASON.values(), *problems._BY_ERROR.values()]:
        details.setdefault(problem_type, set()).add(detail)
    assert len(details) == 7
    for problem_type, possible in details.items():
        assert example_detail(problem_type) in possible


def test_protocol_errors_are_documented(document):
    failures = [
        protocol_errors.ReadTimeout(),
        errors.ParseException(),
        errors.LimitRequestLine(
            protocol_errors.MAX_REQUEST_LINE_BYTES + 1, protocol_errors.MAX_REQUEST_LINE_BYTES
        ),
        errors.LimitRequestHeaders("limit request headers fields"),
        errors.ExpectationFailed("any"),
        errors.UnsupportedTransferCoding("any"),
    ]
    assert protocol_errors._STATUS.keys() < {type(failure) for failure in failures}
    by_status = {}
    for failure in failures:
        response = protocol_errors.protocol_error_response(failure)
        problem = json.loads(response.data.partition(b"\r\n\r\n")[2])
        by_status[str(response.status)] = {**problem, "request_id": "any"}
    for _, _, operation in operations(with_pages(document)):
        assert by_status.keys() <= operation["responses"].keys()
    documented = set()
    for method, status, response in responses(with_pages(document)):
        problem = response.get("content", {}).get("application/problem+json", {})
        example = problem.get("examples", {}).get("no-request")
        if example:
            assert {**example["value"], "request_id": "any"} == by_status[status]
            documented.add((method, status))
    assert documented >= {("GET", status) for status in by_status}


def test_input_media_types(document):
    content = document["paths"]["/v1/cartoons"]["post"]["requestBody"]["content"]
    assert [*content] == [*INPUT_TYPES, "application/octet-stream", "multipart/form-data"]
    upload = document["paths"]["/upload"]["post"]["requestBody"]["content"]
    for form in content["multipart/form-data"], upload["multipart/form-data"]:
        assert form["encoding"] == {upload_body.FORM_FIELD: {"contentType": ", ".join(INPUT_TYPES)}}
        assert form["schema"]["required"] == [upload_body.FORM_FIELD]
    properties = content["multipart/form-data"]["schema"]["properties"]
    assert [*properties] == [upload_body.FORM_FIELD, *options.NAMES]
    assert [*upload["multipart/form-data"]["schema"]["properties"]] == [upload_body.FORM_FIELD]


@pytest.mark.parametrize("media_type", INPUT_TYPES)
def test_documented_media_types_are_accepted(client, media_type):
    image = encoded(gradient(40, 24), media_type.removeprefix("image/").upper())
    response = client.post("/v1/cartoons", data=image, content_type=media_type)
    assert response.status_code == 200


def test_document_has_the_limits_and_the_style(settings):
    settings = replace(settings, max_body_bytes=54321, max_pixels=12345, request_timeout=7.5)
    document = openapi_document(client_of(settings, replace(MODEL, style="ink")).application)
    parameters = document["components"]["parameters"]
    assert parameters["Style"]["schema"] == {"enum": ["ink"]}
    body = document["paths"]["/v1/cartoons"]["post"]["requestBody"]
    form = body["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["style"] == {"enum": ["ink"]}
    assert parameters["RequestTimeout"]["schema"]["default"] == 7.5
    sample = document["paths"]["/v1/styles/{style}/sample"]["get"]["parameters"]
    assert [it["schema"]["enum"] for it in sample if it.get("name") == "style"] == [["ink"]]
    for path in "/v1/cartoons", "/upload":
        body = document["paths"][path]["post"]["requestBody"]
        assert "at most 54321 bytes and 12345 pixels" in body["description"]


def test_heic_is_documented_if_it_is_on(settings):
    for heic in False, True:
        client = client_of(replace(settings, heic=heic), replace(MODEL, style="ink"))
        document = openapi_document(client.application)
        for path in "/v1/cartoons", "/upload":
            body = document["paths"][path]["post"]["requestBody"]
            assert ("AVIF or HEIC image" in body["description"]) is heic
        content = document["paths"]["/v1/cartoons"]["post"]["requestBody"]["content"]
        assert ("image/heic" in content) is heic


def test_file_has_the_defaults(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(KEYS[0])
    settings = Settings.from_environment({"DCTNET_API_KEYS_FILE": str(keys)})
    document = openapi_document(client_of(settings, replace(MODEL, style="comic")).application)
    document["info"]["version"] = FILE["info"]["version"]
    assert document == FILE


def test_document_matches_the_code(document):
    components = document["components"]
    headers = {parameter["name"] for parameter in components["parameters"].values()}
    assert headers == {
        *("style", "format", "strength", "size", "background"),
        *(deadline.HEADER, queue_tickets.HEADER, request_id.HEADER),
    }
    size = components["parameters"]["Size"]["schema"]
    assert (size["minimum"], size["maximum"]) == (MIN_SIZE, MAX_SIZE)
    ticket = components["parameters"]["QueueTicket"]["schema"]
    assert ticket["pattern"] == f"^{queue_tickets.PATTERN}$"
    assert {cartoonize.MODEL_HEADER, cartoonize.FACES_HEADER, cartoonize.TIMING_HEADER} <= (
        components["headers"].keys()
    )
    health = components["schemas"]["Health"]["properties"]
    assert health["status"]["enum"] == ["healthy", *(str(state) for state in State)]
    style = components["schemas"]["Style"]["properties"]
    assert style["integrity"]["enum"] == list(get_args(Integrity))
    assert components["parameters"]["Format"]["schema"]["enum"] == list(MEDIA_TYPES)
    content = document["paths"]["/v1/cartoons"]["post"]["responses"]["200"]["content"]
    assert [*content] == [*MEDIA_TYPES.values()]
    assert components["securitySchemes"]["bearer"]["scheme"] == authentication.SCHEME.lower()
    assert components["securitySchemes"]["apiKey"]["name"] == authentication.HEADER


def test_security_is_documented_when_keys_are_required(document, client_with_keys):
    with_keys = openapi_document(client_with_keys.application)
    for served, requires_keys in ((document, False), (with_keys, True)):
        for path, _, operation in operations(served):
            is_protected = requires_keys and path in {"/v1/cartoons", "/upload"}
            assert ("security" in operation) == is_protected
            assert ("401" in operation["responses"]) == is_protected
            if is_protected:
                assert operation["security"] == [{"bearer": []}, {"apiKey": []}]
