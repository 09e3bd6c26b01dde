"""The script of `helm test`, run against a server that stands in for a release."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from tests.support.chart import CHART
from tests.support.repo import environment

MANAGEMENT = "127.0.90.90"
"""A loopback address of this test: the script reads the metrics at port 9090."""

KEY = "a-key-of-the-release"


class Release(ThreadingHTTPServer):
    """API and management port of a release, with faults."""

    styles = ("comic", "sketch")
    answers: str | None = None
    """Style of all cartoons, whatever was requested."""
    unchanged = False
    """Whether cartoons equal the portraits."""
    counts = True
    """Whether inferences are counted."""

    def __init__(self) -> None:
        super().__init__((MANAGEMENT, 9090), Handler)
        self.inferences: Counter[str] = Counter()


class Handler(BaseHTTPRequestHandler):
    server: Release

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/metrics":
            counts = [
                f'dctnet_inferences_total{{result="{result}",style="{style}"}} {count:.1f}\n'
                for style in self.server.styles
                for result, count in (("ok", self.server.inferences[style]), ("error", 1))
            ]
            self.respond(200, "".join(counts).encode())
        elif self.authenticated():
            assert self.path == "/v1/styles"
            styles = [{"name": style} for style in self.server.styles]
            self.respond(200, json.dumps({"styles": styles}).encode())

    def do_POST(self) -> None:
        image = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.authenticated():
            return
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        assert (url.path, query["format"]) == ("/v1/cartoons", ["png"])
        (style,) = query["style"]
        self.server.inferences[style] += self.server.counts
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        cartoon = pixels if self.server.unchanged else 255 - pixels
        _, encoded = cv2.imencode(".png", cartoon)
        self.respond(200, encoded.tobytes(), self.server.answers or style)

    def authenticated(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {KEY}":
            return True
        self.respond(401, b"No key.")
        return False

    def respond(self, status: int, body: bytes, style: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Dctnet-Style", style)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(release: Release) -> Iterator[None]:
    thread = Thread(target=release.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        release.shutdown()
        thread.join()
        release.server_close()


@pytest.fixture
def release() -> Iterator[Release]:
    release = Release()
    with serving(release):
        yield release


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# Keys.\n\n{KEY}\n")
    return file


def run(styles: str, keys: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, CHART / "files/smoke_test.py"],
        env=environment(
            API=f"http://{MANAGEMENT}:9090",
            MANAGEMENT=MANAGEMENT,
            STYLES=styles,
            TIMEOUT="2",
            KEYS=str(keys),
        ),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("styles", ["comic,sketch", "comic", ""])
def test_smoke_test_requests_a_cartoon_in_each_style(release, keys, styles):
    done = run(styles, keys)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A cartoon in each style received: comic, sketch; 2 inferences")
    assert release.inferences == {"comic": 1, "sketch": 1}


@pytest.mark.parametrize(
    ("styles", "fault", "message"),
    [
        ("comic,poster", {}, "the styles poster are not served, only comic, sketch"),
        ("sketch,comic", {}, "the default style is comic, not sketch"),
        ("", {"answers": "comic"}, "the style of the cartoon is comic, not sketch"),
        ("", {"unchanged": True}, "the comic cartoon equals the portrait"),
        ("", {"counts": False}, "no replica counts the images of each style"),
    ],
)
def test_smoke_test_fails_with_a_message(release, keys, styles, fault, message):
    for name, value in fault.items():
        setattr(release, name, value)
    done = run(styles, keys)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr


def test_smoke_test_reports_an_error_response(release, keys):
    keys.write_text("another-key\n")
    done = run("", keys)
    assert done.returncode == 1
    assert done.stderr == "The response of /v1/styles is 401: No key.\n"
