"""How a server starts, fails to start, and ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from dctnet.models.folder import DEMO, REQUIRED_FILES
from tests.support.encoded import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.process import Server, end, free_ports
from tests.support.repo import DCTNET
from tests.support.tiny_model import describe

Start = Callable[..., Server]


def serve(*arguments: str, **environ: str) -> tuple[int, list[str]]:
    """Run a server that cannot start; return its exit status and what it wrote."""
    port, management = free_ports(2)
    addresses = {
        "DCTNET_BIND": f"127.0.0.1:{port}",
        "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{management}",
    }
    run = subprocess.run(
        [DCTNET, "serve", *arguments],
        env=os.environ | addresses | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    return run.returncode, run.stdout.splitlines()


@pytest.mark.promise("Lifecycle: a replica is ready after a known answer, and not with a bad model")
def test_a_server_answers_while_its_model_is_loading_and_ctrl_c_ends_it(
    start: Start, tiny: Path
) -> None:
    server = start(tiny)
    server.wait_for(503)
    response = requests.post(
        f"{server.url}/v1/cartoons", data=encoded(gradient(9, 9)), timeout=BOUND_S
    )
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert server.stop(signal.SIGINT) == 0
    assert [line for line in server.messages() if not line.startswith("dctnet: ")] == []


def test_a_server_says_which_runtime_draws_and_why(start: Start, tiny: Path) -> None:
    server = start(tiny)
    server.wait_for(200)
    said = "tensorflow draws background and head: it is a frozen graph, as upstream ships it"
    assert f"dctnet: {said}" in server.messages()


def test_sigterm_ends_a_server_in_seconds(start: Start, demo: Path) -> None:
    server = start(demo)
    server.wait_for(200)
    with requests.Session() as session:  # Whose connection stays open.
        session.get(f"{server.url}/health", timeout=BOUND_S)
        started = time.monotonic()
        assert server.stop() == 0
    assert time.monotonic() - started < 30
    assert all(line.startswith("dctnet: ") for line in server.messages())
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=BOUND_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_whose_model_is_being_loaded_does_not_wait_for_that(
    tmp_path: Path, number: signal.Signals
) -> None:
    # With this timeout the master would wait for ten minutes, and 5 s.
    settings = {"TIMED_SECONDS": "inf", "DCTNET_REQUEST_TIMEOUT": 600}
    server = Server(tmp_path / "log", [sys.executable, "-m", "tests.server.timed"], **settings)
    try:
        server.until(lambda: any(" draws background" in line for line in server.messages()))
        assert server.stop(number) == 0
        assert all(line.startswith("dctnet: ") for line in server.messages())
    finally:
        end(server.process)


@pytest.mark.promise("Lifecycle: a graceful shutdown completes every request and exits with 0")
def test_a_signal_that_comes_while_the_worker_is_forked_is_not_lost(demo: Path) -> None:
    slowly = "import os, time; os.register_at_fork(after_in_child=lambda: time.sleep(3))"
    serve = "import sys; from dctnet.cli import main; sys.exit(main(['serve']))"
    port, management = free_ports(2)
    environ = os.environ | {
        "DCTNET_BIND": f"127.0.0.1:{port}",
        "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{management}",
        "DCTNET_MODEL": str(demo),
        "DCTNET_REQUEST_TIMEOUT": "600",  # How long the master would wait, and 5 s.
    }
    master = subprocess.Popen([sys.executable, "-c", f"{slowly}; {serve}"], env=environ)
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
    try:
        until(lambda: children.read_text() != "", process=master)
        master.send_signal(signal.SIGTERM)
        assert master.wait(BOUND_S) == 0
    finally:
        master.kill()
        master.wait(BOUND_S)


def test_the_demo_model_is_named_wherever_it_serves(start: Start, demo: Path) -> None:
    server = start(demo)
    server.wait_for(503)
    assert server.messages()[:2] == [
        f"dctnet: the model is demo@v1, from {demo}",
        "dctnet: for a public DCT-Net model, run: dctnet fetch anime",
    ]
    # The page's script puts it into words: tests/page/test_portrait.py.
    assert 'data-text="demo"' in requests.get(server.url, timeout=BOUND_S).text
    styles = requests.get(f"{server.url}/v1/styles", timeout=BOUND_S).json()["styles"]
    assert [style["name"] for style in styles] == ["demo"]


@pytest.fixture
def demo(tiny: Path, tmp_path: Path) -> Path:
    """The tiny model under the demo model's name."""
    folder = tmp_path / "named demo"
    shutil.copytree(tiny, folder)
    describe(folder, "demo")
    return folder


@pytest.mark.parametrize(
    ("variable", "how"),
    [
        ("DCTNET_BIND", "--bind or DCTNET_BIND"),
        ("DCTNET_MANAGEMENT_BIND", "DCTNET_MANAGEMENT_BIND"),
    ],
)
def test_an_address_in_use_is_one_sentence(tiny: Path, variable: str, how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, lines = serve(DCTNET_MODEL=str(tiny), **{variable: address})
    sentence = f"Address already in use. Choose another address with {how}."
    assert status == 1
    assert lines == [f"dctnet: Cannot listen on {address}: {sentence}"]


@pytest.mark.parametrize(
    ("bind", "management"),
    [
        ("127.0.0.1:{port}", "127.0.0.1:{port}"),
        ("127.0.0.1:{port}", "0.0.0.0:{port}"),
        ("127.0.0.1:{port}", "localhost:{port}"),
        ("127.0.0.1:{port}", "[::]:{port}"),
    ],
)
def test_one_port_for_both_listeners_is_one_sentence(
    tiny: Path, bind: str, management: str
) -> None:
    (port,) = free_ports(1)
    addresses = bind.format(port=port), management.format(port=port)
    status, lines = serve(
        DCTNET_MODEL=str(tiny), DCTNET_BIND=addresses[0], DCTNET_MANAGEMENT_BIND=addresses[1]
    )
    sentence = "Address already in use. Choose another address with DCTNET_MANAGEMENT_BIND."
    assert (status, lines) == (1, [f"dctnet: Cannot listen on {addresses[1]}: {sentence}"])


@pytest.mark.parametrize("variable", ["DCTNET_BIND", "DCTNET_MANAGEMENT_BIND"])
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64, "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_one_sentence(
    tiny: Path, variable: str, host: str
) -> None:
    status, (line,) = serve(DCTNET_MODEL=str(tiny), **{variable: f"{host}:8080"})
    assert status == 1
    assert line.startswith(f"dctnet: Cannot listen on {host}:8080: ")
    assert line.endswith(f"{variable}.")


@pytest.mark.parametrize("name", ["none", "file", "/proc"])
def test_a_worker_directory_that_cannot_be_written_is_one_sentence(
    tiny: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / name
    status, (line,) = serve(DCTNET_MODEL=str(tiny), DCTNET_WORKER_DIR=str(folder))
    assert status == 1
    assert line.startswith(f"dctnet: Cannot write the worker's heartbeat file in {folder}: ")
    assert line.endswith(". Choose another folder with DCTNET_WORKER_DIR.")


def test_no_folder_for_temporary_files_is_one_sentence() -> None:
    """Simulated: a process of root's can write in most folders."""
    program = (
        "import sys, tempfile\n"
        "from dctnet import config\n"
        "from dctnet.cli import main\n"
        "config.SHARED_MEMORY = config.Path('/none')\n"
        "tempfile._candidate_tempdir_list = lambda: ['/proc']\n"
        "sys.exit(main(['serve']))\n"
    )
    port, management = free_ports(2)
    addresses = {
        "DCTNET_BIND": f"127.0.0.1:{port}",
        "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{management}",
    }
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | addresses | {"DCTNET_MODEL": str(DEMO)},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(
        "dctnet: Cannot write the worker's heartbeat file in the system's folder"
    )


def test_a_bad_setting_is_one_sentence() -> None:
    status, (line,) = serve(DCTNET_SLOTS="0")
    assert status == 1
    assert line.startswith("dctnet: DCTNET_SLOTS is '0', but it must be ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "that cannot be read: No such file or directory."),
        ("", "there is no key in it."),
        ("# A comment.\nsecret\n", "line 2 of it is no key, which is 16 to 256 printable ASCII"),
    ],
)
def test_a_file_of_keys_that_is_not_right_is_one_sentence_without_a_key(
    tiny: Path, tmp_path: Path, text: str | None, why: str
) -> None:
    file = tmp_path / "keys"
    if text is not None:
        file.write_text(text)
    status, (line,) = serve(DCTNET_MODEL=str(tiny), DCTNET_API_KEYS_FILE=str(file))
    assert status == 1
    assert line.startswith(f"dctnet: DCTNET_API_KEYS_FILE is {str(file)!r}, but {why}")
    assert "secret" not in line


def test_a_server_says_that_it_asks_for_a_key(start: Start, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("0123456789abcdef\nfedcba9876543210\n")
    server = start(tiny, DCTNET_API_KEYS_FILE=file)
    server.wait_for(503)
    assert server.messages()[1] == "dctnet: a picture needs an API key; there are 2"


def test_a_bad_option_is_wrong_usage_and_has_an_example() -> None:
    status, (*_, line) = serve("--bind", "8080")
    assert status == 2
    assert "'8080' is not HOST:PORT, such as 0.0.0.0:8080" in line


@pytest.mark.promise("Lifecycle: a replica is ready after a known answer, and not with a bad model")
def test_a_model_that_is_missing_is_one_sentence() -> None:
    assert serve(DCTNET_MODEL="/none") == (3, ["dctnet: There is no model folder /none."])


@pytest.mark.promise("Lifecycle: a replica is ready after a known answer, and not with a bad model")
@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_model_that_is_damaged_is_one_sentence(tiny: Path, tmp_path: Path, name: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    (broken / name).write_bytes(b"")
    status, (line,) = serve(DCTNET_MODEL=str(broken))
    assert status == 3
    assert f"broken/{name} is cut short" in line


@pytest.mark.promise("Lifecycle: a replica is ready after a known answer, and not with a bad model")
def test_a_model_that_cannot_be_loaded_ends_the_server_with_a_sentence(
    tiny: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    (broken / "keypoints.pb").write_bytes(b"no graph")
    describe(broken)  # Its manifest is right.
    status, lines = serve(DCTNET_MODEL=str(broken))
    assert status == 3
    assert lines[2] == f"dctnet: {broken}/keypoints.pb is not a frozen TensorFlow graph."
    assert not any("Traceback" in line for line in lines)
