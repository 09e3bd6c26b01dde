"""Container confinement: no root, read-only root file system, process 1."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.encoded_images import decoded, encoded
from tests.support.polling import BOUND_S
from tests.support.process import Server, only_child, running, serving
from tests.support.repo import DCTNET, environment
from tests.support.shipped import COMIC

UNPRIVILEGED_ID = 65534
WRITABLE = "/mnt"
NO_SHARED_MEMORY = f"mount -t tmpfs -o ro none /dev/shm && mount -t tmpfs none {WRITABLE} && "


def confinement(mounts: str = "") -> tuple[str, ...]:
    """Return what runs a command as another user, whose root is read-only, without capabilities."""
    return (
        *("unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"),
        *("sh", "-c", f'{mounts}mount -o remount,bind,ro / && exec "$@"', "sh"),
        *("unshare", "--user", f"--map-user={UNPRIVILEGED_ID}", f"--map-group={UNPRIVILEGED_ID}"),
    )


AS_PROCESS_1 = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
"""Runs a command as process 1, which has no default signal actions."""

UNABLE = "needs util-linux's unshare, and a kernel that lets users have namespaces"


@pytest.fixture(params=["", NO_SHARED_MEMORY], ids=["with /dev/shm", "without /dev/shm"])
def confined(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    confined = confinement(request.param)
    folder = "/dev/shm" if request.param else tmp_path
    probe = subprocess.run([*confined, "touch", f"{folder}/x"], capture_output=True, check=False)
    if b"Read-only file system" not in probe.stderr:
        pytest.skip(UNABLE)
    settings = {"DCTNET_WORKER_TMP_DIR": WRITABLE} if request.param else {}
    command = [*confined, DCTNET, "serve"]
    with serving(tmp_path / "log", command, DCTNET_STYLES=COMIC, HOME="", **settings) as server:
        yield server


@pytest.mark.promise("Cluster: pods meet the Pod Security Standard `restricted`")
@pytest.mark.promise("Privacy: no image is written to a file or kept by a cache")
def test_server_runs_without_root_and_with_read_only_disk(confined, astronaut):
    status = Path(f"/proc/{confined.worker()}/status").read_text()
    assert "CapEff:\t0000000000000000" in status
    limits = Path(f"/proc/{confined.worker()}/limits").read_text()
    assert re.search(r"^Max core file size +[01] +[01] +bytes", limits, re.MULTILINE)
    image = encoded(astronaut, "PNG", compress_level=0)
    assert len(image) > 500_000  # Werkzeug's default would write it to a file.
    for path in "/v1/cartoons", "/upload":
        response = requests.post(
            confined.url + path, files={"file": ("x.png", image)}, timeout=BOUND_S
        )
        assert response.status_code == 200
        assert decoded(response.content).shape == astronaut.shape
    assert confined.stop() == 0
    assert confined.faults() == []


def test_sigterm_stops_a_hanging_download_of_process_1(tmp_path):
    if subprocess.run([*AS_PROCESS_1, "true"], capture_output=True, check=False).returncode:
        pytest.skip(UNABLE)
    with socket.create_server(("127.0.0.1", 0)) as hub:
        hub.settimeout(BOUND_S)
        env = environment(
            MODELSCOPE_ENDPOINT=f"http://127.0.0.1:{hub.getsockname()[1]}",
            DCTNET_MODELS_DIR=tmp_path,
        )
        with (
            running([*AS_PROCESS_1, DCTNET, "fetch", "anime"], env) as command,
            hub.accept()[0],  # Connected, without any response.
        ):
            os.kill(only_child(command.pid), signal.SIGTERM)
            assert command.wait(10) == 128 + signal.SIGTERM
