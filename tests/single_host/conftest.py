"""A single host as in single-host/README.md: real supervisord, nginx and replicas."""

import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support import metrics
from tests.support.polling import BOUND_S, until
from tests.support.process import children, free_ports, running
from tests.support.repo import DCTNET, ROOT, environment

SINGLE_HOST = ROOT / "single-host"

PACKAGES = {
    "nginx": "nginx-light",
    "supervisord": "supervisor",
    "logrotate": "logrotate",
    "openssl": "openssl",
    "docker-compose": "docker-compose",
}
"""Debian's package of each program."""
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
"""With the directories of nginx and logrotate, which only root has on its PATH."""


def require(*tools: str) -> None:
    """Skip the test if a program is not installed."""
    missing = [PACKAGES[tool] for tool in tools if shutil.which(tool, path=PATH) is None]
    if missing:
        names = " ".join(missing)
        pytest.skip(f"needs {names}: apt-get install --no-install-recommends {names}")


class Host:
    """A single host in one directory, with the files that `render.py` writes."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.logs = folder / "log"
        self.program = folder / "release/.venv/bin/dctnet"
        for path in self.logs, folder / "cache", folder / "temporary", self.program.parent:
            path.mkdir(parents=True)
        self.program.symlink_to(DCTNET)
        first, *_ = free_ports(6, in_a_row=True)
        https, http = first + 4, first + 5
        self.url, self.http = f"https://localhost:{https}", f"http://localhost:{http}"
        self.replica_ports = [first, first + 1]
        self.management_ports = [first + 2, first + 3]
        self.certificate = folder / "certificate.pem"
        self.settings = {
            "SERVER_NAME": "localhost",
            "CERTIFICATE": self.certificate,
            "CERTIFICATE_KEY": folder / "key.pem",
            "LISTEN": "127.0.0.1",
            "HTTP_PORT": http,
            "HTTPS_PORT": https,
            "API_PORT": first,
            "MANAGEMENT_PORT": first + 2,
            "RELEASE_DIR": folder / "release",
            "USER": getpass.getuser(),
            "LOG_DIR": self.logs,
            "CACHE_DIR": folder / "cache",
            "NGINX_PID_FILE": folder / "nginx.pid",
            "DCTNET_MODELS_DIR": folder / "none",
            "DCTNET_STYLES": "comic",
            "DCTNET_DRAIN_DELAY": 0,
            "DCTNET_SLOTS": 1,
            "DCTNET_THREADS": 1,
        } | settings
        self.configure()
        self._write_main_configs()

    def configure(self, **settings: object) -> None:
        """Change settings and render all files."""
        self.settings |= settings
        lines = [f"{name}={value}\n" for name, value in self.settings.items()]
        (self.folder / "settings.env").write_text("".join(lines))
        self._run(
            sys.executable, SINGLE_HOST / "render.py", self.folder / "settings.env", self.folder
        )

    def _write_main_configs(self) -> None:
        """Write main configuration files like those of Debian's packages, which include ours."""
        folder = self.folder
        (folder / "supervisord.conf").write_text(
            f"[unix_http_server]\nfile={folder}/s.sock\n"
            f"[supervisord]\nlogfile={folder}/supervisord.log\npidfile={folder}/supervisord.pid\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory ="
            " supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{folder}/s.sock\n"
            f"[include]\nfiles={folder}/supervisor.conf\n"
        )
        user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder}/temporary/{kind};\n" for kind in kinds)
        (folder / "main.conf").write_text(
            f"{user}worker_processes 2;\npid {folder}/nginx.pid;\n"
            f"error_log {self.logs}/nginx-error.log warn;\n"
            f"events {{ worker_connections 768; }}\n"
            f"http {{\n{temporary}include {folder}/nginx.conf;\n}}\n"
        )

    def _run(self, *command: object, check: bool = True) -> "subprocess.CompletedProcess[str]":
        completed = subprocess.run(
            [str(word) for word in command],
            env=environment(PATH=PATH),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * BOUND_S,
            check=False,
        )
        assert completed.returncode == 0 or not check, completed.stdout
        return completed

    def nginx(self, *options: str) -> str:
        """Run nginx with options such as -t; return its output."""
        return self._run("nginx", "-c", self.folder / "main.conf", *options).stdout

    def supervisorctl(self, *words: str) -> str:
        return self._run("supervisorctl", "-c", self.folder / "supervisord.conf", *words).stdout

    def rolling_update(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run `rolling_update.py`; ignore its exit status."""
        return self._run(
            sys.executable,
            SINGLE_HOST / "rolling_update.py",
            self.folder / "settings.env",
            f"--supervisord={self.folder / 'supervisord.conf'}",
            *options,
            check=False,
        )

    def logrotate(self) -> None:
        """Force a rotation; fail if logrotate reports an error."""
        state, config = self.folder / "logrotate.state", self.folder / "logrotate.conf"
        assert self._run("logrotate", "--force", "--state", state, config).stdout == ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run supervisord and nginx with ready replicas within the block."""
        command = ["supervisord", "--nodaemon", "-c", self.folder / "supervisord.conf"]
        with self.nginx_running(), self._process(*command) as supervisord:
            try:
                until(self.all_ready, process=supervisord)
                yield
            finally:
                # No client is left; supervisord would restart the replicas and await their drain.
                replicas = children(supervisord.pid)
                supervisord.kill()
                for pid in replicas:
                    os.killpg(pid, signal.SIGKILL)

    @contextmanager
    def nginx_running(self) -> Iterator[None]:
        """Run nginx alone within the block."""
        self._run(
            *("openssl", "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", self.folder / "key.pem", "-out", self.certificate),
        )
        command = ["nginx", "-c", self.folder / "main.conf", "-g", "daemon off;"]
        with self._process(*command) as nginx:
            until(self._nginx_responds, process=nginx)
            yield

    @contextmanager
    def _process(self, *command: object) -> Iterator["subprocess.Popen[bytes]"]:
        words = [str(word) for word in command]
        log = self.folder / f"{words[0]}.output"
        try:
            with (
                log.open("w") as output,
                running(words, environment(PATH=PATH), output, output) as process,
            ):
                yield process
        except BaseException:
            print(log.read_text())
            raise

    def _nginx_responds(self) -> bool:
        try:
            return requests.head(self.http, allow_redirects=False, timeout=BOUND_S).is_redirect
        except requests.ConnectionError:
            return False

    def is_ready(self, number: int) -> bool:
        """Readiness of a replica; replicas count from 1."""
        try:
            url = f"http://127.0.0.1:{self.management_ports[number - 1]}/readyz"
            return requests.get(url, timeout=BOUND_S).ok
        except requests.ConnectionError:
            return False

    def all_ready(self) -> bool:
        return self.is_ready(1) and self.is_ready(2)

    def metric(self, number: int, name: str) -> float:
        """Value of a replica's metric."""
        return metrics.metric(f"http://127.0.0.1:{self.management_ports[number - 1]}", name)

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, verify=self.certificate, timeout=BOUND_S, **options)

    def post(self, data: bytes, path: str = "/v1/cartoons", **options: Any) -> requests.Response:
        return requests.post(
            self.url + path, data, verify=self.certificate, timeout=BOUND_S, **options
        )

    def pid(self, number: int) -> int:
        """Process ID of a replica's Gunicorn arbiter."""
        return int(self.supervisorctl("pid", f"dctnet-{number}"))

    def kill_replica(self, number: int) -> int:
        """SIGKILL a replica's arbiter and worker, as the OOM killer does; return its process ID."""
        pid = self.pid(number)
        os.killpg(pid, signal.SIGKILL)
        return pid

    def access_log_lines(self) -> list[dict[str, Any]]:
        """Lines of nginx's access log; each must be JSON."""
        lines = (self.logs / "nginx-access.log").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def access_log_line(self, request_id: str) -> dict[str, Any]:
        """Line of a request, which nginx writes after the response."""
        (line,) = until(
            lambda: [a for a in self.access_log_lines() if a["request_id"] == request_id]
        )
        return line


@pytest.fixture(scope="session")
def make_host(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Host]:
    """Factory of hosts with settings; a host runs within `running`."""
    require("nginx", "supervisord", "openssl")

    def make(**settings: object) -> Host:
        return Host(tmp_path_factory.mktemp("host"), **settings)

    return make


@pytest.fixture(scope="session")
def host(make_host: Callable[..., Host]) -> Iterator[Host]:
    """Running host, shared by tests that do not change it."""
    host = make_host()
    with host.running():
        yield host
