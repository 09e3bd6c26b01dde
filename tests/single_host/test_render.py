"""render.py: rendered files, derived limits, and errors in one sentence."""

import configparser
import re
import subprocess
import sys
from math import ceil
from pathlib import Path

import pytest
import yaml

from dctnet.config import MIB, Settings, any_host
from dctnet.memory import memory_bound
from dctnet.shared_limits import (
    FORM_OVERHEAD_BYTES,
    GRACEFUL_MARGIN_S,
    PROXY_READ_MARGIN_S,
    PROXY_TOTAL_MARGIN_S,
    TERMINATION_MARGIN_S,
)
from tests.single_host.conftest import PATH, SINGLE_HOST, require

FILES = {"supervisor.conf", "nginx.conf", "logrotate.conf", "compose.yaml"}
SYSTEMD_STOP_TIMEOUT_S = 90
"""systemd's default TimeoutStopSec, which supervisor.service does not change."""


def run_render(folder: Path, text: str) -> "subprocess.CompletedProcess[str]":
    settings = folder / "settings.env"
    settings.write_text(text)
    return subprocess.run(
        [sys.executable, "-S", SINGLE_HOST / "render.py", settings, folder / "generated"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )


def render_files(folder: Path, text: str) -> dict[str, str]:
    completed = run_render(folder, text)
    assert (completed.returncode, completed.stderr) == (0, "")
    return {path.name: path.read_text() for path in (folder / "generated").iterdir()}


def supervisor_programs(supervisor: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(supervisor)
    return {name: dict(parser[name]) for name in parser.sections()}


def nginx_seconds(directive: str, nginx: str) -> int:
    (value,) = re.findall(rf"^    {directive} (\d+)s;", nginx, re.MULTILINE)
    return int(value)


def test_empty_settings_render_every_file_without_packages(tmp_path):
    files = render_files(tmp_path, "")
    assert set(files) == FILES
    assert not [name for name, text in files.items() if "@{" in text]
    # Replicas exit before systemd kills supervisord.
    found = supervisor_programs(files["supervisor.conf"])
    assert int(found["program:dctnet-1"]["stopwaitsecs"]) < SYSTEMD_STOP_TIMEOUT_S


def test_every_file_has_all_replicas(tmp_path):
    files = render_files(tmp_path, "REPLICAS=3\nAPI_PORT=7001\nMANAGEMENT_PORT=7101\n")
    ports = ["7001", "7002", "7003"]
    assert re.findall(r"server 127\.0\.0\.1:(\d+) max_fails=0;", files["nginx.conf"]) == ports
    found = supervisor_programs(files["supervisor.conf"])
    assert list(found) == [f"program:dctnet-{number}" for number in (1, 2, 3)]
    services = yaml.safe_load(files["compose.yaml"])["services"]
    assert set(services) == {"dctnet-1", "dctnet-2", "dctnet-3", "nginx"}
    for number, port in enumerate(ports, 1):
        environment = services[f"dctnet-{number}"]["environment"]
        assert environment["DCTNET_BIND"] == f"127.0.0.1:{port}"
        assert environment["DCTNET_MANAGEMENT_BIND"] == f"127.0.0.1:{7100 + number}"
        # supervisord sets the same environment.
        pairs = ",".join(f'{name}="{value}"' for name, value in environment.items())
        assert found[f"program:dctnet-{number}"]["environment"] == pairs


def test_container_memory_limit_is_the_memory_bound(tmp_path):
    values = {"DCTNET_SLOTS": "3", "DCTNET_THREADS": "2", "DCTNET_MAX_PIXELS": "1000000"}
    files = render_files(tmp_path, "".join(f"{name}={value}\n" for name, value in values.items()))
    bound = memory_bound(Settings.from_environment(values), 2)
    for number in 1, 2:
        service = yaml.safe_load(files["compose.yaml"])["services"][f"dctnet-{number}"]
        assert service["mem_limit"] == f"{ceil(bound / MIB)}m"
    # MEMORY_LIMIT overrides it.
    services = yaml.safe_load(render_files(tmp_path, "MEMORY_LIMIT=5g\n")["compose.yaml"])[
        "services"
    ]
    assert services["dctnet-1"]["mem_limit"] == "5g"


def test_timeouts_and_limits_are_derived_from_the_settings(tmp_path):
    files = render_files(
        tmp_path,
        "DCTNET_REQUEST_TIMEOUT=19.5\nDCTNET_WATCHDOG_TIMEOUT=10\nDCTNET_DRAIN_DELAY=8\n"
        "DCTNET_MAX_BODY_BYTES=1000000\nDCTNET_HEADER_TIMEOUT=3\nDCTNET_UPLOAD_IDLE_TIMEOUT=4\n",
    )
    nginx = files["nginx.conf"]
    read_s = 20 + PROXY_READ_MARGIN_S
    assert nginx_seconds("proxy_read_timeout", nginx) == read_s
    assert nginx_seconds("proxy_send_timeout", nginx) == read_s
    assert nginx_seconds("proxy_next_upstream_timeout", nginx) == 20 + PROXY_TOTAL_MARGIN_S
    assert nginx_seconds("client_header_timeout", nginx) == 3
    assert nginx_seconds("client_body_timeout", nginx) == 4
    max_request_bytes = str(1_000_000 + FORM_OVERHEAD_BYTES)
    assert re.findall(r"client_\w+_size (\d+);", nginx) == [max_request_bytes] * 2
    stop_s = 28 + GRACEFUL_MARGIN_S + TERMINATION_MARGIN_S  # 8 + 19.5, rounded up.
    program = supervisor_programs(files["supervisor.conf"])["program:dctnet-1"]
    assert program["stopwaitsecs"] == f"{stop_s}"
    services = yaml.safe_load(files["compose.yaml"])["services"]
    assert services["dctnet-1"]["stop_grace_period"] == f"{stop_s}s"


def test_readme_has_the_derived_timeouts_and_limits():
    readme = (SINGLE_HOST / "README.md").read_text()
    stop_s = GRACEFUL_MARGIN_S + TERMINATION_MARGIN_S
    for text in (
        f"read timeout: request timeout + {PROXY_READ_MARGIN_S} s;",
        f"both tries: request timeout + {PROXY_TOTAL_MARGIN_S} s;",
        f"SIGKILL of a replica: drain delay + request timeout + {stop_s} s |",
        f"`DCTNET_MAX_BODY_BYTES` + {FORM_OVERHEAD_BYTES // 1024} KiB per request",
    ):
        assert text in readme, f"single-host/README.md lacks {text!r}"


@pytest.mark.parametrize(
    ("listen", "addresses"),
    [
        ("", ["0.0.0.0", *["[::]"] * (any_host() == "::")]),
        ("0.0.0.0 [::]", ["0.0.0.0", "[::]"]),
        ("127.0.0.1 :: 2001:db8::1", ["127.0.0.1", "[::]", "[2001:db8::1]"]),
    ],
)
def test_listen_addresses_and_redirect_port(tmp_path, listen, addresses):
    nginx = render_files(tmp_path, f"LISTEN={listen}\nSERVER_NAME=a.example\n")["nginx.conf"]
    assert re.findall(r"listen (.*);", nginx) == [
        *(f"{address}:80" for address in addresses),
        *(f"{address}:443 ssl" for address in addresses),
    ]
    assert "return 308 https://a.example$request_uri;" in nginx
    nginx = render_files(tmp_path, "HTTPS_PORT=8443\nSERVER_NAME=a.example\n")["nginx.conf"]
    assert "return 308 https://a.example:8443$request_uri;" in nginx


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("REPLICA=3", "there is no setting REPLICA; "),
        ("DCTNET_QUEU=3", "There is no setting DCTNET_QUEU; "),
        ("REPLICAS=1", "REPLICAS must be at least 2, so that one serves at any time."),
        ("REPLICAS=two", "REPLICAS is 'two', but it must be a whole number."),
        ("DCTNET_BIND=0.0.0.0:80", "DCTNET_BIND follows from API_PORT and MANAGEMENT_PORT."),
        (
            "DCTNET_QUEUE_SIZE=0",
            "DCTNET_QUEUE_SIZE is '0', but it must be a whole number of images ",
        ),
        (
            "DCTNET_REQUEST_TIMEOUT=20",
            "DCTNET_WATCHDOG_TIMEOUT is 30, but it must be less than DCTNET_REQUEST_TIMEOUT",
        ),
        ("LISTEN=0.0.0.0:80", "LISTEN has '0.0.0.0:80', but it must have addresses without ports"),
        ("LISTEN=[::]:80", "LISTEN has '[::]:80', but it must have addresses without ports"),
        ("LISTEN=[box]", "LISTEN has '[box]', but it must have addresses without ports"),
        ("# a comment\nREPLICAS", "settings.env:2: this is not NAME=value"),
        ("USER=a$b", "settings.env:1: this is not NAME=value, or has a character like $."),
        ('USER=a"b', "settings.env:1: this is not NAME=value, or has a character like $."),
    ],
)
def test_error_is_one_sentence_and_nothing_is_written(tmp_path, text, message):
    completed = run_render(tmp_path, text)
    assert completed.returncode == 1
    (line,) = completed.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "generated").exists()


def test_compose_file_is_valid(tmp_path):
    require("docker-compose")
    render_files(tmp_path, "DCTNET_STYLES=comic\n")
    completed = subprocess.run(
        ["docker-compose", "--file", tmp_path / "generated" / "compose.yaml", "config", "--quiet"],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stderr) == (0, "")
