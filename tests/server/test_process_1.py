"""The command as a container's first process, for which the kernel ends nothing by itself."""

import os
import signal
import socket
import subprocess

import pytest

from tests.support.polling import BOUND_S
from tests.support.process import only_child, running
from tests.support.repo import DCTNET, environment

AS_PROCESS_1 = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    probe = subprocess.run([*AS_PROCESS_1, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("needs util-linux's unshare, and a kernel that lets users have namespaces")


def test_sigterm_ends_a_download_that_hangs_at_once(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as hub:
        hub.settimeout(BOUND_S)
        env = environment(
            MODELSCOPE_ENDPOINT=f"http://127.0.0.1:{hub.getsockname()[1]}",
            DCTNET_MODELS_DIR=tmp_path,
        )
        with (
            running([*AS_PROCESS_1, DCTNET, "fetch", "anime"], env) as command,
            hub.accept()[0],  # It is connected, and never answered.
        ):
            os.kill(only_child(command.pid), signal.SIGTERM)
            assert command.wait(10) == 128 + signal.SIGTERM
