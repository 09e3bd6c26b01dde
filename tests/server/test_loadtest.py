"""``make loadtest`` with a new server and with an existing one."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest import command, options
from loadtest.report import Report
from tests.support.polling import BOUND_S
from tests.support.repo import environment
from tests.support.shipped import COMIC

SHORT = ("--clients", "2", "--duration", "1", "--size", "64x48")


def run_loadtest(folder: Path, **settings: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "loadtest", *SHORT],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=3 * BOUND_S,
        check=False,
    )


def test_loadtest_starts_and_stops_its_own_server(tmp_path):
    completed = run_loadtest(tmp_path, DCTNET_STYLES=COMIC)
    assert completed.returncode == 0, completed.stderr
    assert re.search(r"sent (\d+): \1 ok, 0 rejected, 0 failed, 0 invalid", completed.stdout)
    (port,) = re.findall(r"^http://127\.0\.0\.1:(\d+)/", completed.stdout)
    page = (tmp_path / "build/loadtest.html").read_text()
    assert "Queue of the server" in page
    assert '<span class="verdict passed">' in page
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


def test_loadtest_reports_why_its_server_did_not_start(tmp_path):
    completed = run_loadtest(tmp_path, DCTNET_STYLES="/none")
    assert (completed.returncode, completed.stdout) == (3, "")
    assert json.loads(completed.stderr)["message"] == "There is no model folder /none."


def test_loadtest_of_a_running_server(server, tmp_path):
    completed = run_loadtest(tmp_path, DCTNET_URL=server.url)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.startswith(f"{server.url}/v1/cartoons: 2 clients for 1 s, 16 images")
    assert completed.stderr == ""


SHORTENED = {
    "smoke": (),
    "steady-50": ("--clients", "5", "--requests", "10"),
    "slow-clients": ("--clients", "2", "--duration", "0.5"),
    "disconnects": ("--clients", "2", "--duration", "1"),
    "hostile-mix": ("--clients", "2", "--duration", "1"),
}
RATE = ("--rate", "5", "--duration", "0.5")


@pytest.mark.parametrize("scenario", options.scenario_names())
def test_scenario_passes_in_a_short_form(server, tmp_path, scenario):
    file = tmp_path / "report.json"
    short = (*SHORTENED.get(scenario, RATE), "--size", "64x48", "--images", "2")
    status = command.main([server.url, "--scenario", scenario, *short, "--json", str(file)])
    report = Report.from_json(file.read_text())
    assert status == 0, report.table()
    assert report.ok > 0
    kinds = {"slow-clients": 2, "disconnects": 1, "hostile-mix": len(options.HOSTILE_KINDS)}
    assert len(report.hostile) == kinds.get(scenario, 0)
    if scenario == "hostile-mix":
        assert report.hostile["malformed"]["400"] > 0
        assert report.hostile["invalid-image"].keys() <= {"422", "429", "503", "open"}
