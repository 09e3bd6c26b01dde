"""Coordinated omission: what load clients report of a server that stalls for 3 s.

Run: python -m benchmarks.coordinated_omission
hey, vegeta and locust are measured if they are on the PATH or named by HEY, VEGETA and LOCUST.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from loadtest.client import ClosedLoop, OpenLoop, Plan, run
from loadtest.images import SourceImage, generate_images

RATE = 20
"""Requests per second of an open loop, or of all clients of a closed loop together."""

DURATION_S = 30
STALL_AFTER_S, STALL_S = 10, 3.0
RESPONSE_S = 0.02
"""Response time without a stall, in seconds."""

CLIENTS = 4
"""Clients of a closed loop, such as hey's workers and Locust's users."""

PERCENTILES = (50, 95, 99)
LOCUSTFILE = Path(__file__).parents[1] / "loadtest/locustfile.py"

USUAL_LOCUSTFILE = """\
from pathlib import Path
from locust import HttpUser, constant_throughput, task

class Usual(HttpUser):
    wait_time = constant_throughput({rate})

    @task
    def post(self):
        self.client.post("/v1/cartoons", data=Path({image!r}).read_bytes())
"""

Result = tuple[int, list[float]]
"""Number of requests, and their PERCENTILES in seconds."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    started_s: float | None = None

    def do_POST(self) -> None:
        cls = type(self)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        now_s = time.monotonic()
        cls.started_s = cls.started_s or now_s
        since_s = now_s - cls.started_s
        stalled_s = STALL_AFTER_S + STALL_S - since_s if since_s > STALL_AFTER_S else 0.0
        time.sleep(max(RESPONSE_S, stalled_s))
        self.send_response(200)
        self.send_header("Content-Type", self.headers["Content-Type"] or "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


@contextmanager
def stalling_server() -> Iterator[str]:
    """Serve the endpoint, which stalls once; yield its URL without a path."""
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {})) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _dctnet(arrivals: OpenLoop | ClosedLoop) -> Callable[[str, SourceImage, Path], Result]:
    def measure(url: str, image: SourceImage, _: Path) -> Result:
        plan = Plan(url=f"{url}/v1/cartoons", images=[image], arrivals=arrivals)
        report = run(plan)
        spread = report.latency_s["ok"]
        assert spread is not None
        return report.sent, [getattr(spread, f"p{percentile}") for percentile in PERCENTILES]

    return measure


def _vegeta(program: str, url: str, image: SourceImage, folder: Path) -> Result:
    target = f"POST {url}/v1/cartoons\nContent-Type: {image.media_type}\n@{folder}/image.png\n"
    attack = [program, "attack", f"-rate={RATE}", f"-duration={DURATION_S}s"]
    _output([*attack, f"-output={folder}/vegeta"], target)
    report = json.loads(_output([program, "report", "-type=json", f"{folder}/vegeta"]))
    seconds = [report["latencies"][f"{percentile}th"] / 1e9 for percentile in PERCENTILES]
    return report["requests"], seconds


def _hey(program: str, url: str, image: SourceImage, folder: Path) -> Result:
    options = ["-z", f"{DURATION_S}s", "-c", str(CLIENTS), "-q", str(RATE / CLIENTS), "-o", "csv"]
    upload = ["-m", "POST", "-D", str(folder / "image.png"), "-T", image.media_type]
    _, *rows = _output([program, *options, *upload, f"{url}/v1/cartoons"]).splitlines()
    seconds = sorted(float(row.split(",")[0]) for row in rows)
    return len(rows), [seconds[len(rows) * percentile // 100] for percentile in PERCENTILES]


def _locust(own: bool) -> Callable[[str, str, SourceImage, Path], Result]:
    def measure(program: str, url: str, _: SourceImage, folder: Path) -> Result:
        file = folder / "locustfile.py"
        image = str(folder / "image.png")
        file.write_text(USUAL_LOCUSTFILE.format(rate=RATE / CLIENTS, image=image))
        users = 10 * CLIENTS if own else CLIENTS
        options = ["--headless", "--host", url, "--users", str(users), "--spawn-rate", str(users)]
        command = [program, "--locustfile", str(LOCUSTFILE if own else file), *options]
        environment = {"RATE": str(RATE), "IMAGE": image}
        ends = ["--run-time", f"{DURATION_S}s", "--json", "--only-summary"]
        (row,) = json.loads(_output([*command, *ends], environment=environment))
        milliseconds = sorted(
            float(taken) for taken, n in row["response_times"].items() for _ in range(n)
        )
        at = [len(milliseconds) * percentile // 100 for percentile in PERCENTILES]
        return row["num_requests"], [milliseconds[index] / 1000 for index in at]

    return measure


def _output(command: list[str], text: str = "", environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command,
        input=text,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    ).stdout


PEERS: dict[str, tuple[str, Callable[[str, str, SourceImage, Path], Result]]] = {
    "vegeta, open loop": ("vegeta", _vegeta),
    f"hey, {CLIENTS} workers": ("hey", _hey),
    f"Locust, {CLIENTS} users, `constant_throughput`": ("locust", _locust(own=False)),
    "Locust with `loadtest/locustfile.py`": ("locust", _locust(own=True)),
}
"""Other load clients, with their programs."""


def main() -> int:
    """Measure all clients that are installed, and print the rows of a table."""
    (image,) = generate_images(1, 64, 64, format="png")
    own = {
        "`dctnet load --rate`": _dctnet(OpenLoop(rate=RATE, duration_s=DURATION_S)),
        f"`dctnet load --clients {CLIENTS}`": _dctnet(
            ClosedLoop(clients=CLIENTS, duration_s=DURATION_S)
        ),
    }
    print("| client | requests | p50 | p95 | p99 |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "image.png").write_bytes(image.data)
        for label, measure in own.items():
            with stalling_server() as url:
                _print(label, measure(url, image, folder))
        for label, (program, measure_peer) in PEERS.items():
            path = os.environ.get(program.upper()) or shutil.which(program)
            if path is None:
                print(f"{label}: not measured, {program} is not installed", file=sys.stderr)
                continue
            with stalling_server() as url:
                _print(label, measure_peer(path, url, image, folder))
    return 0


def _print(label: str, result: Result) -> None:
    number, seconds = result
    print(f"| {label} | {number} | {' | '.join(f'{value:.2f} s' for value in seconds)} |")


if __name__ == "__main__":
    sys.exit(main())
