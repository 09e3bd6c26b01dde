"""``dctnet cartoonize --server``: sends images to a server, and repeats what it rejects for now."""

from pathlib import Path

import numpy as np
import pytest

from dctnet.cli import main
from dctnet.cli.remote import MAX_TRIES
from tests.support.encoded_images import decoded, encoded, gradient
from tests.support.http_stub import Handler, serving
from tests.support.process import free_ports

IMAGE = gradient(40, 24)
KEY = "k" * 32


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(encoded(IMAGE))
    Path("b.jpg").write_bytes(encoded(IMAGE, "JPEG"))


def test_server_draws_the_images(start_timed, capsys):
    server = start_timed(0)
    command = ["cartoonize", "a.png", "b.jpg", "--out", "out", "--server", server.url + "/"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == ["out/a.png", "out/b.png"]
    np.testing.assert_array_equal(decoded(Path("out/a.png").read_bytes()), 255 - IMAGE)
    options = ["--style", "timed", "--format", "webp", "--strength", "0.5", "--size", "20"]
    assert main([*command, *options]) == 0
    assert decoded(Path("out/a.webp").read_bytes()).shape == IMAGE.shape


def test_problem_of_the_server_is_the_reason(start_timed, capsys):
    server = start_timed(0)
    Path("text.png").write_text("hello")
    command = ["cartoonize", "text.png", "a.png", "--out", "out", "--server", server.url]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == "out/a.png\n"
    assert err == (
        "dctnet: text.png is skipped: This is text, not a JPEG, PNG, WebP or AVIF image.\n"
    )
    assert main([*command, "--style", "ink"]) == 1
    assert "The style 'ink' is not loaded; these are: timed." in capsys.readouterr().err


class _Busy(Handler):
    """Rejects the first requests of the stub, and then returns the body."""

    rejections = 2

    def respond(self) -> None:
        body = self.body()
        if len(self.server.requests) <= self.rejections:
            self.send(429, b'{"detail": "The queue is full."}', {"Retry-After": "0"})
        else:
            self.send(200, body)


class _AlwaysBusy(_Busy):
    rejections = 1000


class _Broken(Handler):
    def respond(self) -> None:
        self.send(502, b"<html>")


def test_options_are_parameters_of_the_query():
    options = ["--style", "comic,ink", "--format", "webp", "--strength", "0.5", "--size", "20"]
    options += ["--background", "#f80"]
    with serving(_Busy, rejections=0) as stub:
        assert main(["cartoonize", "a.png", "--out", "out", "--server", stub.url, *options]) == 0
    assert [request.path for request in stub.requests] == [
        f"/v1/cartoons?format=webp&strength=0.5&size=20&background=ff8800&style={style}"
        for style in ("comic", "ink")
    ]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a-comic.webp", "a-ink.webp"]


def test_rejected_image_is_sent_again_with_the_key(capsys):
    Path("keys").write_text(f"# of this server\n\n{KEY}\n{'o' * 32}\n")
    with serving(_Busy) as stub:
        command = ["cartoonize", "a.png", "--out", "out", "--server", stub.url]
        assert main([*command, "--api-key-file", "keys"]) == 0
    assert Path("out/a.png").read_bytes() == encoded(IMAGE)
    assert [request.headers["Authorization"] for request in stub.requests] == [f"Bearer {KEY}"] * 3
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("handler", "requests", "reason"),
    [
        (_AlwaysBusy, MAX_TRIES, "The queue is full."),
        (_Broken, 1, "The server answers 502 Bad Gateway."),
    ],
)
def test_image_that_stays_rejected_is_skipped(capsys, handler, requests, reason):
    with serving(handler) as stub:
        assert main(["cartoonize", "a.png", "--out", "out", "--server", stub.url]) == 1
    assert len(stub.requests) == requests
    assert capsys.readouterr().err == f"dctnet: a.png is skipped: {reason}\n"


def test_unreachable_server_is_named(capsys):
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    assert main(["cartoonize", "a.png", "--out", "out", "--server", url]) == 1
    assert f"a.png is skipped: {url}/v1/cartoons cannot be reached: " in capsys.readouterr().err


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:8080", "http://", "http://x?a=b"])
def test_invalid_address_is_wrong_usage(capsys, url):
    with pytest.raises(SystemExit, match="2"):
        main(["cartoonize", "a.png", "--out", "out", "--server", url])
    assert "is not an address such as https://" in capsys.readouterr().err


def test_file_without_a_key(capsys):
    Path("keys").write_text("# none\n")
    command = ["cartoonize", "a.png", "--out", "out", "--server", "http://127.0.0.1:1"]
    assert main([*command, "--api-key-file", "keys"]) == 1
    assert capsys.readouterr().err == "dctnet: keys contains no key.\n"
