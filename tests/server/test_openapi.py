"""What the OpenAPI document promises, tried by schemathesis on a running server.

It makes requests from the document, good ones and bad ones, the same in every run, and holds the
answers to it. `tests/support/schemathesis_hooks.py` says what it leaves out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.polling import BOUND_S
from tests.support.process import Server, end
from tests.support.repo import DCTNET, ROOT

KEY = "the-key-of-the-openapi-test"
MAX_EXAMPLES = 60
"""How many random requests an operation gets at most, beside those at the edges of its values."""
CASES = 700
"""What that makes at least: 9 operations, without that which gives the document."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the demo model, which asks for a key: so it has every kind of operation."""
    folder = tmp_path_factory.mktemp("openapi")
    keys = folder / "keys"
    keys.write_text(KEY)
    server = Server(
        folder / "log", [DCTNET, "serve"], DCTNET_MODEL="demo", DCTNET_API_KEYS_FILE=keys
    )
    try:
        server.wait_for(200)
        yield server
    finally:
        end(server.process)


def schemathesis(folder: Path, server: Server, document: str | Path, *options: str) -> Any:
    """Run it; the folder is empty, for it first repeats the failures that it finds noted in one."""
    config = folder / "schemathesis.toml"
    config.write_text(f'[auth.openapi.key]\napi_key = "{KEY}"\n[warnings]\nfail-on = true\n')
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run", document),
            *("--url", server.url, "--generation-deterministic", "--no-color"),
            *("--report", "ndjson", "--report-ndjson-path", folder / "report.ndjson", *options),
        ],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "service"), str(ROOT), *sys.path]),
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND_S * 2,
        check=False,
    )


@pytest.mark.promise("API: it does what its OpenAPI document says")
def test_a_server_does_what_its_document_says(server: Server, tmp_path: Path) -> None:
    document = f"{server.url}/openapi.json"
    done = schemathesis(tmp_path, server, document, "--max-examples", str(MAX_EXAMPLES))
    assert done.returncode == 0, done.stdout
    assert "9 selected / 9 total" in done.stdout
    (cases,) = [line for line in done.stdout.splitlines() if " generated, " in line]
    assert int(cases.split()[0]) >= CASES, cases
    assert {request["status"] for request in server.requests()} >= {200, 400, 401, 404, 405, 422}


def without_a_status(document: Any) -> None:
    del document["paths"]["/upload"]["post"]["responses"]["422"]


def with_another_member(document: Any) -> None:
    document["components"]["schemas"]["Error"]["required"] = ["error", "reason"]


def with_a_parameter_that_nobody_reads(document: Any) -> None:
    size = {"name": "size", "in": "query", "required": True, "schema": {"type": "integer"}}
    document["paths"]["/upload"]["post"]["parameters"].append(size)


@pytest.mark.promise("API: it does what its OpenAPI document says")
@pytest.mark.parametrize(
    ("lie", "finding"),
    [
        (without_a_status, "Undocumented status code"),
        (with_another_member, "Response violates schema"),
        (with_a_parameter_that_nobody_reads, "Schema-violating request accepted"),
    ],
)
def test_a_document_that_lies_is_found_out(
    server: Server, tmp_path: Path, lie: Callable[[Any], None], finding: str
) -> None:
    document = requests.get(f"{server.url}/openapi.json", timeout=BOUND_S).json()
    lie(document)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    options = ("--include-path", "/upload", "--phases", "coverage", "--continue-on-failure")
    done = schemathesis(tmp_path, server, file, *options)
    assert done.returncode == 1
    assert finding in done.stdout, done.stdout
