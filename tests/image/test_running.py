"""The image as a cluster runs it: read-only root, any user, no capabilities, no network.

`make image-test` builds the images and sets IMAGE and CONTAINER_ENGINE.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import dctnet
from tests.support.encoded_images import decoded, encoded
from tests.support.polling import until
from tests.support.repo import environment

ENGINE = os.environ["CONTAINER_ENGINE"]
IMAGE = os.environ["IMAGE"]
BOUND_S = 400
"""Timeout in seconds, also for a busy machine."""

# A uid that is not in the image, and only a loopback network.
CONFINED = (
    *("--read-only", "--tmpfs", "/tmp", "--user", "23456:34567", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--network", "none", "--no-healthcheck"),
)

ASK = """
import sys, urllib.error, urllib.request
try:
    response = urllib.request.urlopen(sys.argv[1], timeout=60, data=sys.stdin.buffer.read() or None)
except urllib.error.HTTPError as error:
    response = error
except OSError:
    sys.exit(7)
sys.stdout.buffer.write(b"%d %s\\n" % (response.status, response.headers["X-Dctnet-Model"].encode()
    if "X-Dctnet-Model" in response.headers else b"-") + response.read())
"""


def engine(*arguments: str | Path, send: bytes = b"", check: bool = True) -> bytes:
    done = subprocess.run(
        [ENGINE, *arguments], input=send, capture_output=True, timeout=BOUND_S, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{arguments}: {done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout


def status(*arguments: str | Path) -> int:
    return subprocess.run(
        [ENGINE, *arguments], capture_output=True, timeout=BOUND_S, check=False
    ).returncode


def in_image(image: str, *command: str) -> str:
    """Run a program of the image with these restrictions and return its output."""
    program, *arguments = command
    run = ("run", "--rm", *CONFINED, "--entrypoint", program, image, *arguments)
    return engine(*run).decode()


class Container:
    """A container in the background."""

    def __init__(self, image: str, *options: str, command: tuple[str, ...] = ()) -> None:
        run = ("run", "--detach", *CONFINED, *options, image, *command)
        self.id = engine(*run).decode().split()[-1]

    def ask(self, url: str, send: bytes = b"") -> tuple[int, str, bytes] | None:
        """Return status, model and body of a response; None if no server listens yet."""
        response = engine("exec", "-i", self.id, "python", "-c", ASK, url, send=send, check=False)
        if not response:
            return None
        head, _, body = response.partition(b"\n")
        code, model = head.decode().split(" ", 1)
        return int(code), model, body

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.inspect("{{.State.Running}}") == "true", self.log()
            response = self.ask("http://127.0.0.1:9090/readyz")
            return response is not None and response[0] == 200

        until(is_ready, lambda: f"not ready: {self.log()}", bound_s=BOUND_S)

    def draw(self, image: np.ndarray) -> tuple[np.ndarray, str]:
        """Send an image, and return its cartoon and the model's name."""
        response = self.ask("http://127.0.0.1:8080/v1/cartoons", encoded(image))
        assert response is not None
        code, model, body = response
        assert code == 200, body
        return decoded(body), model

    def inspect(self, form: str) -> str:
        return engine("inspect", "--format", form, self.id).decode().strip()

    def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit status."""
        engine("stop", "-t", str(BOUND_S - 10), self.id)
        return int(self.inspect("{{.State.ExitCode}}"))

    def log(self) -> str:
        done = subprocess.run([ENGINE, "logs", self.id], capture_output=True, check=True)
        return (done.stdout + done.stderr).decode()


@pytest.fixture
def start() -> Iterator[Callable[..., Container]]:
    """Starts containers and removes them by id."""
    with ExitStack() as stack:

        def start(image: str, *options: str, command: tuple[str, ...] = ()) -> Container:
            container = Container(image, *options, command=command)
            stack.callback(engine, "rm", "--force", container.id)
            return container

        yield start


@pytest.mark.promise("Cluster: pods meet the Pod Security Standard `restricted`")
@pytest.mark.parametrize("suffix", ["", "-tensorflow", "-with-model"])
def test_container_cartoonizes_and_exits_with_0_on_sigterm(start, astronaut, suffix):
    container = start(IMAGE + suffix)
    container.wait_until_ready()
    cartoon, model = container.draw(astronaut)
    assert model == "comic"
    assert cartoon.shape == astronaut.shape
    assert 2 < np.abs(cartoon.astype(float) - astronaut).mean() < 60
    started = time.monotonic()
    assert container.stop() == 0
    assert time.monotonic() - started < 30
    records = [json.loads(x) for x in container.log().splitlines() if x.startswith("{")]
    (record,) = [record for record in records if record["logger"] == "dctnet.access"]
    assert record["status"] == 200


def test_runtime_image_uses_the_native_runtime(start):
    container = start(IMAGE)
    container.wait_until_ready()
    assert "runtime: native+onnxruntime" in str(
        container.ask("http://127.0.0.1:9090/readyz?verbose")
    )


def test_with_model_image_uses_its_model(start):
    container = start(f"{IMAGE}-with-model")
    container.wait_until_ready()
    assert "the style comic is comic, from /model\n" in container.log()


def test_health_check_follows_readiness(start):
    form = "{{json .Config.Healthcheck.Test}}"
    kind, *command = json.loads(engine("image", "inspect", "--format", form, IMAGE))
    assert kind == "CMD"
    idle = start(IMAGE, "--entrypoint", "sleep", command=("1000",))
    assert status("exec", idle.id, *command) == 1
    container = start(IMAGE)
    container.wait_until_ready()
    assert status("exec", container.id, *command) == 0


def test_sigterm_during_startup_stops_the_container(start):
    # The kernel drops unhandled signals of process 1, and Gunicorn sets its handlers late.
    container = start(IMAGE)
    until(lambda: "the style comic is comic" in container.log(), bound_s=BOUND_S)
    # 137 would mean killed by the engine. This may take the whole graceful timeout: a worker that
    # is being forked does not get SIGTERM.
    assert container.stop() in {0, 143}


@pytest.mark.parametrize("suffix", ["", "-tensorflow", "-with-model"])
def test_image_contains_no_build_tools(suffix):
    for program in "g++", "gcc", "cc", "make", "curl":
        found = in_image(IMAGE + suffix, "sh", "-c", f"command -v {program} || echo none")
        assert found == "none\n"
    assert in_image(IMAGE + suffix, "ls", "/opt") == "dctnet\n"
    look = "find /opt/dctnet /root /tmp /var/cache /build /dist"
    # No pip, no downloads, no files of the build.
    names = "-path '*/site-packages/pip*' -o -name '*.whl' -o -path '/root/?*' -o -path '/tmp/?*'"
    root = ("run", "--rm", "--no-healthcheck", "--network", "none", "--user", "0")
    command = ("--entrypoint", "sh", IMAGE + suffix, "-c", f"{look} {names} 2>/dev/null || true")
    found = engine(*root, *command).decode().split()
    assert [
        path for path in found if not path.startswith(("/root/.bashrc", "/root/.profile"))
    ] == []


@pytest.mark.promise("Models: serving a prepared model takes no TensorFlow")
@pytest.mark.parametrize(
    ("suffix", "found"), [("", "False"), ("-with-model", "False"), ("-tensorflow", "True")]
)
def test_only_the_tensorflow_image_contains_tensorflow(suffix, found):
    for package in "tensorflow", "modelscope", "tf2onnx":
        program = f"import importlib.util as u; print(u.find_spec({package!r}) is not None)"
        assert in_image(IMAGE + suffix, "python", "-c", program) == f"{found}\n"


@pytest.mark.parametrize("suffix", ["", "-tensorflow", "-with-model"])
def test_tracing_needs_only_a_collector_address(suffix):
    program = "from dctnet.tracing import Tracing; print(Tracing('collector:4318').host)"
    assert in_image(IMAGE + suffix, "python", "-c", program) == "collector:4318\n"


def test_image_labels_describe_the_image():
    labels = json.loads(engine("image", "inspect", "--format", "{{json .Config.Labels}}", IMAGE))
    assert labels["org.opencontainers.image.version"] == dctnet.__version__
    assert len(labels["org.opencontainers.image.revision"].removesuffix("-dirty")) == 40
    assert engine("image", "inspect", "--format", "{{.Config.User}}", IMAGE) == b"10001:10001\n"


def test_tensorflow_image_converts_a_model_for_the_runtime_image(start, tmp_path, astronaut):
    models = tmp_path / "models"
    models.mkdir()
    upstream = [sys.executable, "-m", "shipped_styles.upstream", models / "mine"]
    subprocess.run(upstream, env=environment(), check=True, timeout=BOUND_S)
    for path in models, *models.rglob("*"):
        path.chmod(path.stat().st_mode | 0o077)  # Writable for any user.
    mount = ("--volume", f"{models}:/models")
    command = ("prepare", "/models/mine")
    prepare = ("run", "--rm", *CONFINED, *mount, f"{IMAGE}-tensorflow", *command)
    message = engine(*prepare).decode()
    assert "is converted: /models/mine-converted" in message
    container = start(IMAGE, *mount, "--env", "DCTNET_STYLES=/models/mine-converted")
    container.wait_until_ready()
    assert container.draw(astronaut)[0].shape == astronaut.shape
    assert container.stop() == 0
