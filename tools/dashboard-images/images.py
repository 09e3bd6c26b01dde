"""Images of the chart's dashboards, from a real Prometheus: light load, overload and a rollout.

Outside CI: needs Prometheus, Chromium, and here `npm install --ignore-scripts --legacy-peer-deps`
and `npm run build`. LIGHT and OVERLOAD are in requests per second; it takes seven minutes:

    PYTHONPATH=service:. .venv/bin/python tools/dashboard-images/images.py PROMETHEUS LIGHT OVERLOAD
"""

import itertools
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import requests
import yaml
from PIL import Image

from tests.rules.test_rules import RULES, SLO, rendered_groups
from tests.support import dashboards
from tests.support.process import Server, environment, free_ports

HERE = Path(__file__).parent
BUILD = HERE / "build"
STEP_S = 5
SCREEN, WIDTH = 1920, 1280
"""Widths of the browser's window and of the images, in pixels."""
ROW, FRAME = 38, 64
"""Height of a unit of Grafana's grid, and of what is around it, as in main.jsx."""


class RoundRobin:
    """TCP proxy that connects clients to backends in turn."""

    def __init__(self) -> None:
        self.backends: list[Server] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        for number in itertools.count():
            client = self._listener.accept()[0]
            backend = self.backends[number % len(self.backends)]
            try:
                server = socket.create_connection(("127.0.0.1", backend.port))
            except OSError:
                client.close()
                continue
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Recording:
    """Prometheus, replicas that it scrapes, and a load client."""

    def __init__(self, folder: Path, stack: ExitStack, prometheus: str) -> None:
        self._folder, self._stack = folder, stack
        port, self._load_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self._targets = {
            f"127.0.0.1:{self._load_port}": {"namespace": "images", "job": "dctnet-load"}
        }
        self._write_targets()
        groups = [each for each in rendered_groups({}) if each["name"] == SLO]
        (folder / "slo.yaml").write_text(yaml.safe_dump({"groups": groups}))
        discovery = {"files": [str(folder / "targets.json")], "refresh_interval": "1s"}
        configuration = {
            "global": {"scrape_interval": f"{STEP_S}s", "evaluation_interval": "15s"},
            "rule_files": [str(folder / "slo.yaml"), str(RULES)],
            "scrape_configs": [{"job_name": "files", "file_sd_configs": [discovery]}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        options = [
            f"--config.file={folder}/prometheus.yaml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        process = subprocess.Popen([prometheus, *options], stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)

    def _write_targets(self) -> None:
        groups = [{"targets": [each], "labels": labels} for each, labels in self._targets.items()]
        written = self._folder / "targets.tmp"
        written.write_text(json.dumps(groups))
        written.rename(self._folder / "targets.json")

    def start(self, pod: str) -> Server:
        """Start a replica."""
        settings = {"DCTNET_STYLES": "comic", "DCTNET_SLOTS": 1, "DCTNET_QUEUE_SIZE": 8}
        server = self._stack.enter_context(Server(self._folder / f"{pod}.log", **settings))
        server.wait_for(200, 90)
        labels = {"namespace": "images", "job": "dctnet", "pod": pod}
        self._targets[server.management.removeprefix("http://")] = labels
        self._write_targets()
        return server

    def forget(self, server: Server) -> None:
        """Stop scraping a replica."""
        del self._targets[server.management.removeprefix("http://")]
        self._write_targets()

    def load(self, url: str, rate: float, duration_s: int) -> subprocess.Popen[bytes]:
        """Start a load client."""
        options = ["--rate", rate, "--duration", duration_s, "--metrics-port", self._load_port]
        command = [sys.executable, "-m", "loadtest.client", url, "--poisson", *map(str, options)]
        return subprocess.Popen(
            command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


def record(recording: Recording, light: float, overload: float) -> tuple[float, float, float]:
    """Play the scenario; return its start, the end of the overload, and its end."""
    start = time.time()
    proxy = RoundRobin()
    old = [recording.start(f"dctnet-5d4f8b9c7d-{name}") for name in ("k2x4p", "w8r6t")]
    proxy.backends = old
    time.sleep(12)
    recording.load(proxy.url, light, 100).wait()
    recording.load(proxy.url, overload, 100).wait()
    overloaded = time.time()
    last = recording.load(proxy.url, light, 150)
    time.sleep(40)
    proxy.backends = [recording.start(f"dctnet-7c9f6d8b54-{name}") for name in ("m5q7z", "t3n9v")]
    for server in old:
        server.process.send_signal(signal.SIGTERM)
    time.sleep(25)
    for server in old:
        recording.forget(server)
    last.wait()
    time.sleep(15)
    return start, overloaded, time.time()


def draw(name: str, prometheus: str, times: tuple[float, float, float]) -> None:
    """Write the image of a dashboard into the build folder."""
    start, overloaded, end = (moment // STEP_S * STEP_S for moment in times)

    def query(target: dict[str, Any]) -> list[dict[str, Any]]:
        expression = target["expr"].replace("$__rate_interval", f"{4 * STEP_S}s")
        for variable in ("namespace", "job", "pod", "client"):
            expression = expression.replace(f"${variable}", ".*")
        kind, at = "query", {"time": str(overloaded)}
        if not target.get("instant"):
            kind, at = "query_range", {"start": str(start), "end": str(end), "step": str(STEP_S)}
        response = requests.get(
            f"{prometheus}/api/v1/{kind}", {"query": expression} | at, timeout=60
        )
        response.raise_for_status()
        found: list[dict[str, Any]] = response.json()["data"]["result"]
        return found

    dashboard = json.loads((dashboards.FOLDER / f"{name}.json").read_text())
    first = [float(each["values"][0][0]) for each in query(dashboard["annotations"]["list"][0])]
    data = {
        "dashboard": dashboard,
        "results": {
            panel["id"]: [query(target) for target in panel["targets"]]
            for panel in dashboard["panels"]
            if panel["type"] != "row"
        },
        "rollouts": [at for at in first if at > start + 60],
        "from": start,
        "to": end,
        "step": STEP_S,
    }
    (BUILD / "data.js").write_text(f"window.DATA = {json.dumps(data)}")
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    options = [
        "--headless",
        "--no-sandbox",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        "--virtual-time-budget=8000",
        f"--window-size={SCREEN},{rows * ROW + FRAME}",
        f"--screenshot={BUILD}/{name}.png",
    ]
    page = (HERE / "page.html").as_uri()
    subprocess.run(["chromium", *options, page], check=True, capture_output=True, timeout=120)
    image = Image.open(BUILD / f"{name}.png").convert("RGB")
    image.thumbnail((WIDTH, image.height))
    image.save(BUILD / f"dashboard-{name}.jpg", quality=60, optimize=True)


def main(prometheus: str, light: str, overload: str) -> None:
    """Record, and draw each dashboard."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        recording = Recording(folder, stack, prometheus)
        times = record(recording, float(light), float(overload))
        for name in dashboards.DEFINITIONS:
            draw(name, recording.url, times)


if __name__ == "__main__":
    main(*sys.argv[1:])
