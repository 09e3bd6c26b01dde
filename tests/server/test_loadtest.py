"""``make loadtest`` with a new server and with an existing one."""

import json
import re
import socket
import subprocess
import sys

import pytest

from tests.support.polling import BOUND_S
from tests.support.repo import ROOT, environment
from tests.support.shipped import COMIC

SHORT = ("--clients", "2", "--duration", "1", "--size", "64x48")


def run_loadtest(**settings: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "loadtest", *SHORT],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=3 * BOUND_S,
        check=False,
    )


def test_loadtest_starts_and_stops_its_own_server():
    completed = run_loadtest(DCTNET_STYLES=COMIC)
    assert completed.returncode == 0, completed.stderr
    assert re.search(r"sent (\d+): \1 ok, 0 rejected, 0 failed, 0 invalid", completed.stdout)
    (port,) = re.findall(r"listening on http://127\.0\.0\.1:(\d+)", completed.stderr)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


def test_loadtest_reports_why_its_server_did_not_start():
    completed = run_loadtest(DCTNET_STYLES="/none")
    assert (completed.returncode, completed.stdout) == (3, "")
    assert json.loads(completed.stderr)["message"] == "There is no model folder /none."


def test_loadtest_of_a_running_server(server):
    completed = run_loadtest(DCTNET_URL=server.url)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.startswith(f"{server.url}/v1/cartoons: 2 clients for 1 s, 16 images")
    assert completed.stderr == ""
