"""Contract tests: schemathesis sends a running server valid and invalid requests.

It generates them from the OpenAPI document, the same in every run, and validates the responses
against it. `tests/support/schemathesis_hooks.py` says what it skips.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.hypothesis_profiles import scaled
from tests.support.openapi_validation import with_pages
from tests.support.polling import BOUND_S
from tests.support.process import Server, serving
from tests.support.repo import environment

KEY = "the-key-of-the-openapi-test"
MAX_EXAMPLES = scaled(20)
"""Random requests per operation, at most, in addition to those at the limits of its values."""
CASES = 420
"""The least number of requests, for the API's operations and those of the pages."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that requires an API key and has a sample image, so that it has every operation."""
    folder = tmp_path_factory.mktemp("openapi")
    keys = folder / "keys"
    keys.write_text(KEY)
    command = [sys.executable, "-m", "tests.server.timed_server"]
    settings = {"TIMED_SECONDS": 0, "DCTNET_API_KEYS_FILE": keys}
    with serving(folder / "log", command, **settings) as server:
        yield server


def schemathesis(folder: Path, server: Server, document: Path, *options: str) -> Any:
    """Run it in an empty folder, because it first repeats the failures stored in the folder."""
    config = folder / "schemathesis.toml"
    config.write_text(f'[auth.openapi.apiKey]\napi_key = "{KEY}"\n[warnings]\nfail-on = true\n')
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run", document),
            *("--url", server.url, "--generation-deterministic", "--no-color"),
            *("--report", "ndjson", "--report-ndjson-path", folder / "report.ndjson", *options),
        ],
        cwd=folder,
        env=environment(SCHEMATHESIS_HOOKS="tests.support.schemathesis_hooks"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND_S * 2,
        check=False,
    )


@pytest.mark.promise("API: the server conforms to its OpenAPI document")
def test_server_conforms_to_its_document(server, tmp_path):
    document = requests.get(f"{server.url}/openapi.json", timeout=BOUND_S).json()
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(with_pages(document)))
    done = schemathesis(tmp_path, server, file, "--max-examples", str(MAX_EXAMPLES))
    assert done.returncode == 0, done.stdout
    assert "10 selected / 10 total" in done.stdout
    (cases,) = [line for line in done.stdout.splitlines() if " generated, " in line]
    assert int(cases.split()[0]) >= CASES, cases
    assert {request["status"] for request in server.requests()} >= {200, 400, 401, 404, 405, 422}


@pytest.mark.promise("API: the server conforms to its OpenAPI document")
def test_wrong_document_is_detected(server, tmp_path):
    document = requests.get(f"{server.url}/openapi.json", timeout=BOUND_S).json()
    upload = document["paths"]["/upload"]["post"]
    del upload["responses"]["422"]
    document["components"]["schemas"]["Error"]["required"] = ["error", "reason"]
    ignored_parameter = {"name": "size", "in": "query", "required": True}
    upload["parameters"].append(ignored_parameter | {"schema": {"type": "integer"}})
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    options = ("--include-path", "/upload", "--phases", "coverage", "--continue-on-failure")
    done = schemathesis(tmp_path, server, file, *options)
    assert done.returncode == 1
    findings = (
        "Undocumented status code",
        "Response violates schema",
        "Schema-violating request accepted",
    )
    assert [finding for finding in findings if finding not in done.stdout] == [], done.stdout
