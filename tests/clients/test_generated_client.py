"""A client that openapi-python-client generates from the OpenAPI document gets a cartoon."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.test_clients import output, require_cartoon

CONFIG = """
post_hooks: []
content_type_overrides:
  image/avif: application/octet-stream
  image/jpeg: application/octet-stream
  image/png: application/octet-stream
  image/webp: application/octet-stream
"""
"""No formatter, and images as bytes, because the generator supports no image types."""

PROGRAM = """
import sys
from pathlib import Path

from dctnet_client import Client
from dctnet_client.api.default import cartoonize, upload
from dctnet_client.models import (
    CartoonizeFilesBody, CartoonizeFormat, CartoonizeStyle, Problem, UploadBody
)
from dctnet_client.types import File

client = Client(sys.argv[1], raise_on_unexpected_status=True)
image = open("portrait.png", "rb")


def save(name, cartoon):
    Path(name).write_bytes(cartoon.payload.read())
    image.seek(0)


save("body", cartoonize.sync(client=client, body=File(image), style=CartoonizeStyle.TIMED))
form = CartoonizeFilesBody(file=File(image, "me.png"), strength=0.5)
save("form", cartoonize.sync(client=client, body=form, format_=CartoonizeFormat.WEBP))
save("upload", upload.sync(client=client, body=UploadBody(file=File(image, "me.png"))))

problem = cartoonize.sync(client=client, body=File(open(__file__, "rb")))
assert isinstance(problem, Problem), problem
print(problem.status, problem.type_.value)
"""


@pytest.fixture
def generated_client(server, folder) -> Path:
    """Generate a client from the server's document; a warning fails the test."""
    (folder / "config.yaml").write_text(CONFIG)
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
        *("--url", f"{server.url}/openapi.json", "--config", "config.yaml"),
        *("--meta", "none", "--output-path", "dctnet_client"),
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_generated_client_gets_cartoons(server, generated_client):
    (generated_client / "client.py").write_text(PROGRAM)
    printed = output(generated_client, sys.executable, "client.py", server.url)
    assert printed == b"415 urn:dctnet:problem:unsupported-format\n"
    for name in "body", "upload":
        require_cartoon((generated_client / name).read_bytes())
    assert (generated_client / "form").read_bytes().startswith(b"RIFF")
