"""Start-up and exit of a server, with all start-up errors."""

import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from dctnet import config, logs
from dctnet.cli import main
from dctnet.models import manifest
from dctnet.models.folder import REQUIRED_FILES, open_folder
from dctnet.runtimes import selection
from dctnet.server import gunicorn_app
from tests.server.conftest import TIMED
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.process import Server, children, free_ports, serving
from tests.support.repo import DCTNET
from tests.support.shipped import COMIC, copy_shipped
from tests.support.tiny_model import write_model_without_graphs

END_S = 30
"""Bound of an idle server's shutdown, in seconds: it takes less than one."""
Serve = Callable[..., tuple[int, str]]


@pytest.mark.promise("Lifecycle: a replica is ready after a golden pair, and not with a bad model")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_loading_server_rejects_images_and_exits_immediately(tmp_path, number):
    # With this timeout the arbiter would wait for ten minutes and 5 s.
    settings = {"TIMED_SECONDS": "inf", "DCTNET_REQUEST_TIMEOUT": 600}
    with Server(tmp_path / "log", TIMED, **settings) as server:
        server.until(lambda: any(" runs background" in line for line in server.messages()))
        server.wait_for(503)
        image = encoded(gradient(9, 9))
        response = requests.post(f"{server.url}/v1/cartoons", image, timeout=BOUND_S)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert server.stop(number) == 0
        assert server.faults() == []


def test_sigint_stops_a_server_that_imports_tensorflow(tiny, tmp_path):
    with Server(tmp_path / "log", DCTNET_STYLES=tiny) as server:
        server.wait_for(503)
        assert server.stop(signal.SIGINT) == 0
        assert server.faults() == []


def test_startup_messages_and_prompt_sigterm(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("0123456789abcdef\nfedcba9876543210\n")
    with serving(tmp_path / "log", DCTNET_STYLES="comic", DCTNET_API_KEYS_FILE=keys) as server:
        with requests.Session() as session:  # Its connection stays open.
            # The web UI's script translates it: tests/web_ui/test_portrait.py.
            assert 'data-text="shippedNotice"' in session.get(server.url, timeout=BOUND_S).text
            styles = session.get(f"{server.url}/v1/styles", timeout=BOUND_S).json()["styles"]
            assert [style["name"] for style in styles] == ["comic"]
            started = time.monotonic()
            assert server.stop() == 0
        assert time.monotonic() - started < END_S
        lines = server.messages()
        assert lines[:2] == [
            f"the style comic is comic, from {COMIC}",
            "POST requests need an API key; there are 2",
        ]
        assert f"comic: {selection.explain(open_folder(COMIC))}" in lines
        assert server.faults() == []
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url, timeout=BOUND_S)


@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
def test_signal_during_fork_is_not_lost():
    slowly = "import os, time; os.register_at_fork(after_in_child=lambda: time.sleep(2))"
    serve = "import sys; from dctnet.cli import main; sys.exit(main(['serve']))"
    # With this timeout the arbiter would wait for ten minutes and 5 s.
    settings = {"DCTNET_STYLES": COMIC, "DCTNET_REQUEST_TIMEOUT": 600}
    with Server(None, [sys.executable, "-c", f"{slowly}; {serve}"], **settings) as server:
        until(lambda: children(server.process.pid), process=server.process)
        assert server.stop() == 0


def run_to_exit(log: Path, *arguments: str, **settings: object) -> tuple[int, list[str]]:
    """Run the command until it exits; its exit status and its messages or lines."""
    command = [DCTNET, "serve", *arguments]
    with Server(log, command, **{"DCTNET_STYLES": COMIC} | settings) as server:
        status = server.process.wait(BOUND_S)
    assert log.with_suffix(".out").read_text() == ""
    return status, server.lines() if status == 2 else server.messages()


def test_address_in_use_fails_with_one_message(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, (line,) = run_to_exit(tmp_path / "log", DCTNET_BIND=address)
    sentence = "Address already in use. Choose another address with --bind or DCTNET_BIND."
    assert (status, line) == (1, f"Cannot listen on {address}: {sentence}")


def test_bad_option_is_a_usage_error_with_an_example(tmp_path):
    status, (*_, line) = run_to_exit(tmp_path / "log", "--bind", "8080")
    assert status == 2
    assert "'8080' is not HOST:PORT, such as 0.0.0.0:8080" in line


@pytest.mark.promise("Lifecycle: a replica is ready after a golden pair, and not with a bad model")
def test_broken_model_stops_the_server_with_one_message(tmp_path):
    broken = tmp_path / "broken"
    write_model_without_graphs(broken)
    status, lines = run_to_exit(tmp_path / "log", DCTNET_STYLES=broken)
    assert status == 3
    assert lines[2] == f"{broken}/cartoon_bg.pb is not a frozen TensorFlow graph."
    assert not any("Traceback" in line for line in lines)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Serve:
    """`dctnet serve` in this process, until it would serve: its exit status and one message."""

    def fail_if_served(_: gunicorn_app.GunicornApp) -> None:
        pytest.fail("It would have served.")

    monkeypatch.setattr(gunicorn_app.GunicornApp, "run", fail_if_served)
    monkeypatch.setattr(logs, "start", logs.start_sentences)  # It would replace capsys.
    port, management = free_ports(2)
    defaults = {
        "DCTNET_BIND": f"127.0.0.1:{port}",
        "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{management}",
        "DCTNET_STYLES": COMIC,
    }

    def serve(**settings: object) -> tuple[int, str]:
        for name, value in (defaults | settings).items():
            monkeypatch.setenv(name, str(value))
        status = main(["serve"])
        out, err = capsys.readouterr()
        (line,) = err.splitlines()
        assert out == ""
        return status, line

    return serve


@pytest.mark.parametrize("management", ["127.0.0.1", "0.0.0.0", "localhost", "[::]"])
def test_same_port_for_both_listeners_fails_with_one_message(serve, management):
    (port,) = free_ports(1)
    status, line = serve(
        DCTNET_BIND=f"127.0.0.1:{port}", DCTNET_MANAGEMENT_BIND=f"{management}:{port}"
    )
    assert status == 1
    assert line == (
        f"dctnet: Cannot listen on {management}:{port}: Address already in use."
        " Choose another address with DCTNET_MANAGEMENT_BIND."
    )


@pytest.mark.parametrize(
    ("variable", "value", "start", "end"),
    [
        *(
            (variable, f"{host}:8080", f"Cannot listen on {host}:8080: ", f"{variable}.")
            for variable in ("DCTNET_BIND", "DCTNET_MANAGEMENT_BIND")
            for host in ("no-such-host.invalid", "a" * 64, "192.0.2.1")
        ),
        *(
            (
                "DCTNET_WORKER_TMP_DIR",
                folder,
                f"Cannot write the worker's heartbeat file in {folder}: ",
                ". Choose another folder with DCTNET_WORKER_TMP_DIR.",
            )
            for folder in ("/none", __file__, "/proc")
        ),
        ("DCTNET_SLOTS", 0, "DCTNET_SLOTS is '0', but it must be ", "."),
        (
            "DCTNET_API_KEYS_FILE",
            "/none",
            "DCTNET_API_KEYS_FILE is '/none', but it cannot be",
            "",
        ),
    ],
)
def test_bad_setting_fails_with_one_message(serve, variable, value, start, end):
    status, line = serve(**{variable: value})
    assert status == 1
    assert line.startswith(f"dctnet: {start}")
    assert line.endswith(end)


def test_missing_tmp_dir_fails_with_one_message(serve, monkeypatch):
    """Simulated, because root can write to most folders."""
    monkeypatch.setattr(config, "SHARED_MEMORY", Path("/none"))
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    monkeypatch.setattr(tempfile, "tempdir", None)
    status, line = serve()
    assert status == 1
    assert line.startswith(
        "dctnet: Cannot write the worker's heartbeat file in the system's folder"
    )


@pytest.mark.promise("Lifecycle: a replica is ready after a golden pair, and not with a bad model")
def test_missing_or_damaged_model_fails_with_one_message(serve, tmp_path):
    folder = tmp_path / "broken"
    assert serve(DCTNET_STYLES=folder) == (3, f"dctnet: There is no model folder {folder}.")
    write_model_without_graphs(folder)
    for name in REQUIRED_FILES:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(b"")
        status, line = serve(DCTNET_STYLES=folder)
        assert status == 3
        assert f"broken/{name} is truncated" in line
        (folder / name).write_bytes(content)


@pytest.mark.promise("Models: a model with a flipped bit in any file is not served")
@pytest.mark.parametrize(
    "name", ["cartoon_bg.npz", "detector.onnx", "golden-output.png", manifest.FILE_NAME]
)
def test_flipped_bit_fails_with_a_message_that_names_the_file(serve, tmp_path, name):
    folder = tmp_path / "comic"
    copy_shipped(folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    if name == manifest.FILE_NAME:  # Only a pinned digest detects it, if it is valid JSON.
        content = (COMIC / name).read_bytes().replace(b'"title": ""', b'"title": "!"')
        (folder / name).write_bytes(content)
        expected = f"dctnet: The manifest of {folder} has the digest "
        digest = open_folder(COMIC).digest
        status, line = serve(DCTNET_STYLES=folder, DCTNET_STYLE_DIGESTS=f"comic={digest}")
    else:
        expected = f"dctnet: The model file {folder / name} does not match the manifest"
        status, line = serve(DCTNET_STYLES=folder)
    assert status == 3
    assert line.startswith(expected)
