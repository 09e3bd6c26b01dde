"""Settings: parsing, bounds, defaults and their documentation."""

import errno
import os
import re
import socket
from ipaddress import ip_network
from pathlib import Path

import pytest

from dctnet.admission.quota import QUOTA_PER_FREE
from dctnet.admission.service_time import DECAY_TIME_S, MAX_STEP
from dctnet.api_keys import MAX_FILE_BYTES, MAX_LENGTH, MIN_LENGTH, POLL_INTERVAL_S
from dctnet.config import (
    MAX_ORIGINS,
    MAX_STYLES,
    MIB,
    RENAMED,
    SETTINGS,
    SHARED_MEMORY,
    Address,
    Fairness,
    Settings,
    SettingsError,
    unknown_variables,
)
from dctnet.cpus import available_cpus
from dctnet.ip_addresses import IPV6_PREFIX
from dctnet.lifecycle.pausable_clock import MAX_GAP_S
from dctnet.lifecycle.probes import MAX_ACCEPT_LOOP_AGE_S
from dctnet.log_writer import FLUSH_TIMEOUT_S, QUEUE_BYTES
from dctnet.logs import LogFormat, LogLevel
from dctnet.model_loading import network_threads
from dctnet.models.pins import Pin
from dctnet.server import file_descriptors, read_timeouts
from dctnet.server.client_socket import SEND_BUFFER_BYTES
from dctnet.server.gunicorn_app import KEEP_ALIVE_S, SPARE_CONNECTIONS
from dctnet.server.read_timeouts import CROWDED_IDLE_FACTOR
from dctnet.server.single_thread_server import MAX_CONNECTIONS, MAX_HEAD_BYTES, TIMEOUT_S
from dctnet.server.thread_pool import RESERVED_THREADS
from dctnet.server.worker import ACCEPT_PAUSE_S, LINGER_S, MAX_LATE_ACCEPT_S
from dctnet.shared_limits import (
    FORM_OVERHEAD_BYTES,
    GRACEFUL_MARGIN_S,
    SPARE_THREADS,
)
from tests.support.markdown import tables
from tests.support.repo import ROOT

DIGEST = "0123456789abcdef" * 4


def rejection(variable: str, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: text})
    return str(caught.value)


def test_defaults_that_depend_on_the_environment():
    """test_documented_defaults compares the other defaults."""
    settings = Settings.from_environment({})
    assert settings.api_keys_file is settings.styles is settings.style_cache is None
    assert settings.style_digests == {}
    assert settings.cors_origins == frozenset()
    assert settings.trusted_proxies == ()
    assert settings.cpu_limit_millicores is None
    assert settings.slots == max(1, int(available_cpus()))
    writable = os.access(SHARED_MEMORY, os.W_OK)
    assert settings.worker_tmp_dir == (SHARED_MEMORY if writable else None)


def test_digest_may_be_that_of_the_source():
    for text in (f"source:sha256:{DIGEST}", f"source:{DIGEST.upper()}"):
        settings = Settings.from_environment({"DCTNET_STYLE_DIGESTS": f"3d={text}"})
        assert settings.style_digests == {"3d": Pin(DIGEST, of_source=True)}
        assert str(settings.style_digests["3d"]) == f"source:sha256:{DIGEST}"


@pytest.mark.parametrize(
    "text", [DIGEST, f"3d={DIGEST},", "3d=", f"={DIGEST}", f"a={DIGEST},a={DIGEST}"]
)
def test_digests_have_a_name_each(text):
    assert "it must be NAME=DIGEST" in rejection("DCTNET_STYLE_DIGESTS", text)


def test_number_of_styles_is_limited():
    styles = [f"s{number}" for number in range(MAX_STYLES + 1)]
    read = Settings.from_environment({"DCTNET_STYLES": ",".join(styles[:-1])}).styles
    assert read == tuple(styles[:-1])
    for text in (",".join(styles), "a,,b", "a,b,a"):
        assert f"at most {MAX_STYLES} different" in rejection("DCTNET_STYLES", text)


@pytest.mark.parametrize("variable", RENAMED)
def test_setting_of_an_earlier_version_is_not_ignored(variable):
    assert rejection(variable, "anime") == f"{variable} no longer exists: set {RENAMED[variable]}."


def test_every_setting_reads_its_variable():
    settings = {
        "DCTNET_BIND": ("0.0.0.0:9000", Address("0.0.0.0", 9000)),
        "DCTNET_MANAGEMENT_BIND": ("[::]:9001", Address("::", 9001)),
        "DCTNET_PATH_PREFIX": ("/team/a", "/team/a"),
        "DCTNET_API_KEYS_FILE": ("/run/keys", Path("/run/keys")),
        "DCTNET_CORS_ORIGINS": ("https://a.example", frozenset({"https://a.example"})),
        "DCTNET_STYLES": ("sketch, ./mine", ("sketch", "./mine")),
        "DCTNET_STYLE_DIGESTS": (f"mine=sha256:{DIGEST.upper()}", {"mine": Pin(DIGEST)}),
        "DCTNET_STYLES_OPTIONAL": ("true", True),
        "DCTNET_STYLE_CACHE": ("4", 4),
        "DCTNET_MODELS_DIR": ("/models", Path("/models")),
        "DCTNET_CPU_LIMIT_MILLICORES": ("1500", 1500),
        "DCTNET_SLOTS": ("3", 3),
        "DCTNET_RUNTIME": ("onnxruntime", "onnxruntime"),
        "DCTNET_THREADS": ("5", 5),
        "DCTNET_QUEUE_SIZE": ("7", 7),
        "DCTNET_MAX_UPLOADS": ("9", 9),
        "DCTNET_MAX_WAITING_BYTES": ("3145728", 3145728),
        "DCTNET_FAIRNESS": ("address", Fairness.ADDRESS),
        "DCTNET_TRUSTED_PROXIES": (
            "10.0.0.0/8, ::1,::ffff:192.0.2.0/120,::/95",
            tuple(map(ip_network, ("10.0.0.0/8", "::1", "192.0.2.0/24", "::/95"))),
        ),
        "DCTNET_REQUEST_TIMEOUT": ("20.5", 20.5),
        "DCTNET_WATCHDOG_TIMEOUT": ("11", 11.0),
        "DCTNET_DRAIN_DELAY": ("1.5", 1.5),
        "DCTNET_HEADER_TIMEOUT": ("4", 4.0),
        "DCTNET_UPLOAD_IDLE_TIMEOUT": ("3", 3.0),
        "DCTNET_MIN_UPLOAD_RATE": ("1000", 1000),
        "DCTNET_RESPONSE_TIMEOUT": ("90", 90.0),
        "DCTNET_RESPONSE_IDLE_TIMEOUT": ("7", 7.0),
        "DCTNET_MIN_RESPONSE_RATE": ("2000", 2000),
        "DCTNET_MAX_BODY_BYTES": ("2048", 2048),
        "DCTNET_MAX_PIXELS": ("1000", 1000),
        "DCTNET_HEIC": ("on", True),
        "DCTNET_MAX_WORKING_SIDE": ("640", 640),
        "DCTNET_MAX_UNSENT_BYTES": ("2097152", 2097152),
        "DCTNET_WORKER_TMP_DIR": ("/run/dctnet", Path("/run/dctnet")),
        "DCTNET_LOG_LEVEL": ("debug", LogLevel.DEBUG),
        "DCTNET_LOG_FORMAT": ("text", LogFormat.TEXT),
    }
    assert settings.keys() == {setting.variable for setting in SETTINGS}
    read = Settings.from_environment({name: text for name, (text, _) in settings.items()})
    for setting in SETTINGS:
        assert getattr(read, setting.field) == settings[setting.variable][1]


def test_variable_is_the_name_of_the_field():
    for setting in SETTINGS:
        assert setting.variable == f"DCTNET_{setting.field.upper()}"
        assert setting.unit in setting.allowed


def test_cors_origins_in_the_form_of_browsers():
    origins = "https://a.example, http://localhost:3000,http://[::1]:8080,https://10.0.0.1:8443"
    read = Settings.from_environment({"DCTNET_CORS_ORIGINS": origins}).cors_origins
    assert read == {origin.strip() for origin in origins.split(",")}
    assert Settings.from_environment({"DCTNET_CORS_ORIGINS": "*"}).cors_origins == {"*"}


INVALID_ORIGINS = [
    *("a.example", "https://", "https://a.example/", "https://a.example:443"),
    *("http://a.example:80", "https://a.example:0443", "https://a.example:99999"),
    *("https://a.example:", "https://A.example", "HTTPS://a.example", "https://*.example"),
    *("https://user@a.example", "https://a.example?", "https://a.example#"),
    *("https://a.ex\tample", "https://[::1", "ftp://a.example", "file://", "null"),
    *("https://a.example,", "https://a.example, *", "https://a.example https://b.example"),
]
INVALID_ADDRESSES = [
    *("8080", "box:", "box:http", "box:0", "box:65536", ":0", ":", "127.0.0.1", "::", "[::]"),
    *("::1:80", "[]:80", "[box]:80", "[127.0.0.1]:80", "[[::1]]:80", "[::1]80", "::1]:80"),
]
INVALID_DIGESTS = [
    *("0" * 63, "0" * 65, "g" * 64, "md5:" + "0" * 64),
    *("source:" + "0" * 63, "sha256:source:" + "0" * 64),
]
INVALID_PROXIES = ["all", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,", "box"]


@pytest.mark.parametrize(
    ("variable", "texts", "message"),
    [
        ("CORS_ORIGINS", INVALID_ORIGINS, "https://example.org or http://localhost:3000"),
        ("BIND", INVALID_ADDRESSES, "HOST:PORT, such as 0.0.0.0:8080"),
        (
            "STYLE_DIGESTS",
            [f"a={text}" for text in INVALID_DIGESTS],
            "a sha256 of 64 hexadecimal digits",
        ),
        ("MODELS_DIR", ["~no-such-user/models"], "a folder's path"),
        ("API_KEYS_FILE", ["~no-such-user/keys"], "a file's path"),
        ("RUNTIME", ["cuda"], "must be auto, native, onnxruntime or tensorflow"),
        (
            "TRUSTED_PROXIES",
            INVALID_PROXIES,
            "addresses and networks with commas between them, such as 10.0.0.0/8,::1.",
        ),
        ("FAIRNESS", ["KEY"], "must be none, key or address."),
    ],
)
def test_invalid_value_is_rejected_with_the_allowed_values(variable, texts, message):
    for text in texts:
        assert message in rejection(f"DCTNET_{variable}", text), text


def test_maximum_number_of_cors_origins():
    origins = [f"https://{number}.example" for number in range(MAX_ORIGINS + 1)]
    read = Settings.from_environment({"DCTNET_CORS_ORIGINS": ",".join(origins[1:])})
    assert len(read.cors_origins) == MAX_ORIGINS
    assert f"at most {MAX_ORIGINS} origins" in rejection("DCTNET_CORS_ORIGINS", ",".join(origins))


def test_graceful_timeout_is_drain_delay_request_timeout_and_margin():
    times = {"DCTNET_DRAIN_DELAY": "1.5", "DCTNET_REQUEST_TIMEOUT": "31"}
    assert Settings.from_environment(times).graceful_timeout == 33 + GRACEFUL_MARGIN_S


def test_watchdog_timeout_must_be_less_than_the_request_timeout():
    times = {"DCTNET_REQUEST_TIMEOUT": "20", "DCTNET_WATCHDOG_TIMEOUT": "20"}
    with pytest.raises(SettingsError, match="DCTNET_WATCHDOG_TIMEOUT is 20, but it must be less"):
        Settings.from_environment(times)
    times["DCTNET_WATCHDOG_TIMEOUT"] = "19.9"
    assert Settings.from_environment(times).watchdog_timeout == 19.9


def test_waiting_bytes_must_have_room_for_the_largest_body():
    sizes = {"DCTNET_MAX_BODY_BYTES": "2000000", "DCTNET_MAX_WAITING_BYTES": "2065535"}
    with pytest.raises(SettingsError) as error:
        Settings.from_environment(sizes)
    assert str(error.value) == (
        "DCTNET_MAX_WAITING_BYTES is 2065535, but it must be at least 2065536:"
        " DCTNET_MAX_BODY_BYTES, and 65536 for a form."
    )
    sizes["DCTNET_MAX_WAITING_BYTES"] = "2065536"
    assert Settings.from_environment(sizes).max_waiting_bytes == 2065536


@pytest.mark.promise("Input: limits hold exactly: at the limit passes, one past it does not")
@pytest.mark.parametrize(
    ("variable", "least", "most"),
    [
        ("DCTNET_DRAIN_DELAY", 0, 600),
        ("DCTNET_HEADER_TIMEOUT", 0.1, 600),
        ("DCTNET_UPLOAD_IDLE_TIMEOUT", 0.1, 600),
        ("DCTNET_RESPONSE_TIMEOUT", 0.1, 3600),
        ("DCTNET_RESPONSE_IDLE_TIMEOUT", 0.1, 600),
    ],
)
def test_bounds_of_seconds(variable, least, most):
    field = variable.removeprefix("DCTNET_").lower()
    for value in least, most:
        assert getattr(Settings.from_environment({variable: str(value)}), field) == value
    for text in str(least - 0.01), str(most + 0.01), "soon", "nan", "inf":
        assert f"a number of seconds from {least:g} to {most:g}." in rejection(variable, text)


def test_bounds_of_request_and_watchdog_timeout():
    longest = {"DCTNET_REQUEST_TIMEOUT": "3600", "DCTNET_WATCHDOG_TIMEOUT": "3599"}
    assert Settings.from_environment(longest).request_timeout == 3600
    assert "from 0.1 to 3600." in rejection("DCTNET_REQUEST_TIMEOUT", "3600.1")
    assert "from 0.1 to 3600." in rejection("DCTNET_WATCHDOG_TIMEOUT", "0.05")


def test_empty_variable_counts_as_unset():
    empty = {setting.variable: "" for setting in SETTINGS}
    assert Settings.from_environment(empty) == Settings.from_environment({})


@pytest.mark.promise("Input: limits hold exactly: at the limit passes, one past it does not")
@pytest.mark.parametrize(
    ("variable", "least", "most", "unit"),
    [
        ("DCTNET_CPU_LIMIT_MILLICORES", 1, 1_024_000, "millicores"),
        ("DCTNET_SLOTS", 1, 256, "images"),
        ("DCTNET_THREADS", 1, 256, "threads"),
        ("DCTNET_QUEUE_SIZE", 1, 4096, "images"),
        ("DCTNET_MAX_UPLOADS", 1, 4096, "bodies"),
        ("DCTNET_MIN_UPLOAD_RATE", 1, 1024**3, "bytes per second"),
        ("DCTNET_MIN_RESPONSE_RATE", 1, 1024**3, "bytes per second"),
        ("DCTNET_MAX_WAITING_BYTES", 1024**2, 64 * 1024**3, "bytes"),
        ("DCTNET_MAX_BODY_BYTES", 1024, 1024**3, "bytes"),
        ("DCTNET_MAX_PIXELS", 1, 500_000_000, "pixels"),
        ("DCTNET_MAX_WORKING_SIDE", 256, 4096, "pixels"),
        ("DCTNET_MAX_UNSENT_BYTES", 1024**2, 64 * 1024**3, "bytes"),
    ],
)
def test_bounds_of_whole_numbers(variable, least, most, unit):
    field = variable.removeprefix("DCTNET_").lower()
    roomy = {"DCTNET_MAX_BODY_BYTES": "1024", "DCTNET_MAX_WAITING_BYTES": str(64 * 1024**3)}
    for value in least, most:
        assert getattr(Settings.from_environment(roomy | {variable: str(value)}), field) == value
    for text in str(least - 1), str(most + 1), "many", "1.5":
        message = rejection(variable, text)
        assert message.startswith(f"{variable} is {text!r}, but it must be ")
        assert f"a whole number of {unit} from {least} to {most}." in message


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::]:65535", "::", 65535),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("box:80", "box", 80),
    ],
)
def test_address_is_host_and_port(text, host, port):
    address = Settings.from_environment({"DCTNET_BIND": text}).bind
    assert address == Address(host, port)
    assert str(address) == text


class NoSocket(socket.socket):
    """On a kernel without IPv6."""

    def __init__(self, family: int, kind: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, kind)


class NoAddress(socket.socket):
    """Where no IPv6 address can be bound."""

    def bind(self, address: object) -> None:
        if self.family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        super().bind(address)


@pytest.mark.parametrize(
    ("kind", "host"), [(socket.socket, "::"), (NoSocket, "0.0.0.0"), (NoAddress, "0.0.0.0")]
)
def test_address_without_host_is_all_that_the_machine_has(monkeypatch, kind, host):
    monkeypatch.setattr(socket, "socket", kind)
    settings = Settings.from_environment(
        {"DCTNET_BIND": ":8080", "DCTNET_MANAGEMENT_BIND": ":9090"}
    )
    assert settings.bind == Address(host, 8080)
    assert settings.management_bind == Address(host, 9090)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/someone"}, "/cache/dctnet/models"),
        ({"HOME": "/home/someone"}, "/home/someone/.cache/dctnet/models"),
        ({}, "/var/cache/dctnet/models"),
        ({"HOME": "/h", "DCTNET_MODELS_DIR": "/models"}, "/models"),
    ],
)
def test_default_models_directory(environ, folder):
    assert Settings.from_environment(environ).models_dir == Path(folder)


def test_auto_runtime_and_threads():
    assert Settings.from_environment({"DCTNET_RUNTIME": "auto"}).runtime is None
    assert Settings.from_environment({"DCTNET_THREADS": "auto"}).threads is None


def test_cpu_limit_bounds_slots_and_threads(monkeypatch):
    def eight_cpus(*, limit: float) -> float:
        return min(8, limit)

    monkeypatch.setattr("dctnet.config.available_cpus", eight_cpus)
    for millicores, cpus in [
        ("", 8),
        ("1", 1),
        ("1999", 1),
        ("2000", 2),
        ("7999", 7),
        ("8000", 8),
        ("9000", 8),
    ]:
        settings = Settings.from_environment({"DCTNET_CPU_LIMIT_MILLICORES": millicores})
        assert (settings.slots, network_threads(settings)) == (cpus, cpus)
    assert Settings.from_environment({"DCTNET_CPU_LIMIT_MILLICORES": "1500"}).cpus == 1.5
    environ = {"DCTNET_CPU_LIMIT_MILLICORES": "1000", "DCTNET_SLOTS": "3", "DCTNET_THREADS": "5"}
    settings = Settings.from_environment(environ)
    assert (settings.slots, network_threads(settings)) == (3, 5)


def test_unknown_variables():
    environ = {"DCTNET_PORT": "tcp://10.0.0.1:80", "DCTNET_BIND": "box:80", "DCTNET_A": "", "B": ""}
    assert unknown_variables(environ) == ["DCTNET_A", "DCTNET_PORT"]


ROWS = [tuple(row.values()) for table in tables(ROOT / "docs/settings.md") for row in table]


def test_documentation_lists_every_setting():
    assert [row[:3] for row in ROWS if row[0].startswith("`DCTNET_")] == [
        (f"`{setting.variable}`", setting.allowed, setting.default_text) for setting in SETTINGS
    ]


def test_documented_defaults():
    checked = 0
    for setting in SETTINGS:
        if literal := re.match(r"`([^` ]+)`(?: \(|$|:)", setting.default_text):
            assert setting.parse(literal[1]) == setting.default({})
            checked += 1
    assert checked >= 20


def test_documentation_lists_the_fixed_limits():
    assert [row[1] for row in ROWS if len(row) == 3][:26] == [
        f"slots + queue + uploads + {SPARE_THREADS}",
        f"{RESERVED_THREADS}",
        f"threads + {SPARE_CONNECTIONS}, or the limit of open files - {file_descriptors.RESERVED}",
        f"{KEEP_ALIVE_S} s, or `DCTNET_HEADER_TIMEOUT` before its first request",
        f"{read_timeouts.MAX_HEAD_BYTES // 1024} KiB",
        f"{SEND_BUFFER_BYTES // 1024} KiB",
        f"{MAX_ACCEPT_LOOP_AGE_S:g} s",
        f"{ACCEPT_PAUSE_S:g} s",
        f"drain delay + request timeout + {GRACEFUL_MARGIN_S} s",
        f"{MAX_LATE_ACCEPT_S:g} s",
        f"{LINGER_S:g} s",
        f"{CROWDED_IDLE_FACTOR * 100:g} % of `DCTNET_UPLOAD_IDLE_TIMEOUT`",
        f"{TIMEOUT_S} s",
        f"{MAX_CONNECTIONS}",
        f"{MAX_HEAD_BYTES // 1024} KiB",
        f"{FORM_OVERHEAD_BYTES // 1024} KiB",
        f"{MIN_LENGTH} to {MAX_LENGTH} characters",
        f"{MAX_FILE_BYTES // 1024} KiB",
        f"{POLL_INTERVAL_S:g} s",
        f"{QUOTA_PER_FREE} times what is free",
        f"{IPV6_PREFIX} bits",
        f"{MAX_STEP:g} times the estimate, and the watchdog's timeout",
        f"{DECAY_TIME_S:g} s",
        f"{MAX_GAP_S:g} s",
        f"{QUEUE_BYTES // MIB} MiB",
        f"{FLUSH_TIMEOUT_S:g} s",
    ]
