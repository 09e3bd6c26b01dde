"""The settings, read once from the environment and passed down."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import ceil, inf
from pathlib import Path
from socket import AF_INET, AF_INET6, AddressFamily
from typing import Any
from urllib.parse import urlsplit

from dctnet.cpus import available_cpus
from dctnet.runtime_registry import SETTING_VALUES as RUNTIME_VALUES

PREFIX = "DCTNET_"
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

GRACEFUL_MARGIN_S = 5
"""What a replica may take to end beyond its last request's deadline."""

SPARE_THREADS = 256
"""Threads beyond those that admitted requests can hold: a client that sends its headers slowly, or
is rejected, holds one for some seconds."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - The folder itself, not a name in it.

ANY_ORIGIN = "*"

MAX_ORIGINS = 64
"""Origins whose pages may use the API: a list that a person keeps."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
Network = IPv4Network | IPv6Network


class Fairness(StrEnum):
    """By what clients are told apart, who then take turns."""

    NONE = "none"
    KEY = "key"
    ADDRESS = "address"


class SettingsError(Exception):
    """A setting has a value that is not allowed; the message is one printable sentence."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``HOST:PORT``, with an IPv6 host in brackets; raise ValueError for anything else."""
        host, _, port = text.rpartition(":")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise ValueError(text)
        address = cls(host.strip("[]"), int(port))
        if not address.host or not 1 <= address.port <= 65535:
            raise ValueError(text)
        return address

    @property
    def family(self) -> AddressFamily:
        """The kind of socket that listens there."""
        return AF_INET6 if ":" in self.host else AF_INET

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can set; ``docs/settings.md`` explains each one."""

    bind: Address
    management_bind: Address
    api_keys_file: Path | None
    cors_origins: frozenset[str]
    model: str | None
    model_digest: str | None
    models_dir: Path
    cpu_limit_millicores: int | None
    slots: int
    runtime: str | None
    threads: int | None
    queue_size: int
    max_uploads: int
    fairness: Fairness
    trusted_proxies: tuple[Network, ...]
    request_timeout: float
    watchdog_timeout: float
    drain_delay: float
    header_timeout: float
    upload_idle_timeout: float
    min_upload_rate: int
    response_timeout: float
    response_idle_timeout: float
    min_response_rate: int
    max_body_bytes: int
    max_pixels: int
    max_working_side: int
    max_unsent_bytes: int
    worker_tmp_dir: Path | None

    @property
    def cpus(self) -> float:
        """How many CPUs the process may use."""
        return _cpus(self.cpu_limit_millicores)

    @property
    def threads_per_slot(self) -> float:
        """Threads of one inference while all slots compute."""
        return min(self.threads or inf, max(1.0, self.cpus / self.slots))

    @property
    def graceful_timeout(self) -> int:
        """How many seconds a replica may take to end: all that it accepts is finished by then."""
        return ceil(self.drain_delay + self.request_timeout) + GRACEFUL_MARGIN_S

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the ``DCTNET_*`` variables, an empty one counting as unset; raise SettingsError."""
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            text = environ.get(setting.variable, "")
            if not text:
                values[setting.field] = setting.default(environ)
                continue
            try:
                values[setting.field] = setting.parse(text)
            except ValueError:
                raise SettingsError(
                    f"{setting.variable} is {text!r}, but it must be {setting.allowed}."
                ) from None
        settings = cls(**values)
        if settings.watchdog_timeout >= settings.request_timeout:
            raise SettingsError(
                f"DCTNET_WATCHDOG_TIMEOUT is {settings.watchdog_timeout:g}, but it must be less"
                f" than DCTNET_REQUEST_TIMEOUT, which is {settings.request_timeout:g}."
            )
        return settings


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the names that look like settings and are none.

    They are worth a warning, not an error: Kubernetes gives each pod variables such as
    ``DCTNET_PORT`` for a Service called ``dctnet``.
    """
    known = {setting.variable for setting in SETTINGS}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table of settings."""

    variable: str
    field: str
    parse: Callable[[str], object]
    """Turns the text into the value, or raises ValueError."""
    allowed: str
    """Completes the sentence "it must be ..."."""
    default: Callable[[Mapping[str, str]], object]
    """Makes the default value from the environment."""
    default_in_words: str


def _whole_number(least: int, most: int, unit: str) -> tuple[Callable[[str], int], str]:
    def parse(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return parse, f"a whole number of {unit} from {least} to {most}"


def _seconds(least: float, most: float) -> tuple[Callable[[str], float], str]:
    def parse(text: str) -> float:
        value = float(text)
        if not least <= value <= most:  # Also where it is no number.
            raise ValueError(text)
        return value

    return parse, f"a number of seconds from {least:g} to {most:g}"


def _threads(text: str) -> int | None:
    return None if text == "auto" else _whole_number(1, 256, "threads")[0](text)


def _runtime(text: str) -> str | None:
    if text not in RUNTIME_VALUES:
        raise ValueError(text)
    return None if text == "auto" else text


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(","))


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # There is no such user.
        raise ValueError(text) from None


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(part.strip() for part in text.split(","))
    if len(origins) > MAX_ORIGINS:
        raise ValueError(text)
    return origins if origins == {ANY_ORIGIN} else frozenset(map(_origin, origins))


def _origin(text: str) -> str:
    """Take an origin as a browser writes it (RFC 6454, 6.2): any other form would never match."""
    url = urlsplit(text)
    port = "" if url.port in {None, _DEFAULT_PORTS.get(url.scheme)} else f":{url.port}"
    host = url.netloc.removesuffix(f":{url.port}")
    if url.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise ValueError(text)
    if text != f"{url.scheme}://{host}{port}":
        raise ValueError(text)
    return text


def _digest(text: str) -> str:
    digest = text.lower().removeprefix("sha256:")
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError(text)
    return digest


def _models_dir(environ: Mapping[str, str]) -> Path:
    cache, home = environ.get("XDG_CACHE_HOME"), environ.get("HOME")
    if cache:
        base = Path(cache)
    elif home:
        base = Path(home, ".cache")
    else:  # A service's account may have no home.
        base = Path("/var/cache")
    return base / "dctnet" / "models"


def _shared_memory(_: Mapping[str, str]) -> Path | None:
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


def _cpus(millis: int | None) -> float:
    return available_cpus(limit=inf if millis is None else millis / 1000)


def _slots(environ: Mapping[str, str]) -> int:
    # Where it is no number, its own row has rejected it before.
    millis = environ.get("DCTNET_CPU_LIMIT_MILLICORES")
    return max(1, int(_cpus(int(millis) if millis else None)))


SETTINGS = (
    Setting(
        "DCTNET_BIND",
        "bind",
        Address.parse,
        "HOST:PORT, such as 0.0.0.0:8080 or [::]:8080, with a port from 1 to 65535",
        lambda _: Address("127.0.0.1", 8080),
        "`127.0.0.1:8080`",
    ),
    Setting(
        "DCTNET_MANAGEMENT_BIND",
        "management_bind",
        Address.parse,
        "HOST:PORT, such as 0.0.0.0:9090 or [::]:9090, with a port from 1 to 65535",
        lambda _: Address("127.0.0.1", 9090),
        "`127.0.0.1:9090`",
    ),
    Setting(
        "DCTNET_API_KEYS_FILE",
        "api_keys_file",
        _path,
        "a file's path",
        lambda _: None,
        "none: no key is asked for",
    ),
    Setting(
        "DCTNET_CORS_ORIGINS",
        "cors_origins",
        _origins,
        f"{ANY_ORIGIN}, or at most {MAX_ORIGINS} origins as browsers write them, such as"
        " https://example.org or http://localhost:3000, with commas between them",
        lambda _: frozenset(),
        "none: only the server's own page",
    ),
    Setting(
        "DCTNET_MODEL",
        "model",
        str,
        "a style's name or a model folder's path",
        lambda _: None,
        "the fetched `anime` if there is one, else the demo model",
    ),
    Setting(
        "DCTNET_MODEL_DIGEST",
        "model_digest",
        _digest,
        "a sha256 of 64 hexadecimal digits",
        lambda _: None,
        "none: the model's own manifest is trusted",
    ),
    Setting(
        "DCTNET_MODELS_DIR",
        "models_dir",
        _path,
        "a folder's path",
        _models_dir,
        "`dctnet/models` in `$XDG_CACHE_HOME`, else in `$HOME/.cache`, else in `/var/cache`",
    ),
    Setting(
        "DCTNET_CPU_LIMIT_MILLICORES",
        "cpu_limit_millicores",
        *_whole_number(1, 1_024_000, "millicores"),
        lambda _: None,
        "none: the affinity mask and the cgroup's quota count",
    ),
    Setting(
        "DCTNET_SLOTS",
        "slots",
        *_whole_number(1, 256, "images"),
        _slots,
        "the CPUs, rounded down, but at least 1",
    ),
    Setting(
        "DCTNET_RUNTIME",
        "runtime",
        _runtime,
        f"{', '.join(RUNTIME_VALUES[:-1])} or {RUNTIME_VALUES[-1]}",
        lambda _: None,
        "`auto`: the fastest that this machine has and the model was prepared for",
    ),
    Setting(
        "DCTNET_THREADS",
        "threads",
        _threads,
        "auto, or a whole number of threads from 1 to 256",
        lambda _: None,
        "`auto`: the CPUs, rounded down, but at least 1",
    ),
    Setting(
        "DCTNET_QUEUE_SIZE",
        "queue_size",
        *_whole_number(1, 4096, "images"),
        lambda _: 64,
        "`64`",
    ),
    Setting(
        "DCTNET_MAX_UPLOADS",
        "max_uploads",
        *_whole_number(1, 4096, "bodies"),
        lambda _: 64,
        "`64`",
    ),
    Setting(
        "DCTNET_FAIRNESS",
        "fairness",
        Fairness,
        "none, key or address",
        lambda _: Fairness.KEY,
        "`key`",
    ),
    Setting(
        "DCTNET_TRUSTED_PROXIES",
        "trusted_proxies",
        _networks,
        "addresses and networks with commas between them, such as 10.0.0.0/8,::1",
        lambda _: (),
        "none: nobody's `X-Forwarded-For` is believed",
    ),
    Setting(
        "DCTNET_REQUEST_TIMEOUT",
        "request_timeout",
        *_seconds(0.1, 3600),
        lambda _: 60.0,
        "`60`",
    ),
    Setting(
        "DCTNET_WATCHDOG_TIMEOUT",
        "watchdog_timeout",
        *_seconds(0.1, 3600),
        lambda _: 30.0,
        "`30`",
    ),
    Setting(
        "DCTNET_DRAIN_DELAY",
        "drain_delay",
        *_seconds(0, 600),
        lambda _: 0.0,
        "`0`",
    ),
    Setting(
        "DCTNET_HEADER_TIMEOUT",
        "header_timeout",
        *_seconds(0.1, 600),
        lambda _: 10.0,
        "`10`",
    ),
    Setting(
        "DCTNET_UPLOAD_IDLE_TIMEOUT",
        "upload_idle_timeout",
        *_seconds(0.1, 600),
        lambda _: 5.0,
        "`5`",
    ),
    Setting(
        "DCTNET_MIN_UPLOAD_RATE",
        "min_upload_rate",
        *_whole_number(1, 1024 * MIB, "bytes a second"),
        lambda _: 16 * KIB,
        "`16384` (16 KiB a second)",
    ),
    Setting(
        "DCTNET_RESPONSE_TIMEOUT",
        "response_timeout",
        *_seconds(0.1, 3600),
        lambda _: 120.0,
        "`120`",
    ),
    Setting(
        "DCTNET_RESPONSE_IDLE_TIMEOUT",
        "response_idle_timeout",
        *_seconds(0.1, 600),
        lambda _: 10.0,
        "`10`",
    ),
    Setting(
        "DCTNET_MIN_RESPONSE_RATE",
        "min_response_rate",
        *_whole_number(1, 1024 * MIB, "bytes a second"),
        lambda _: 16 * KIB,
        "`16384` (16 KiB a second)",
    ),
    Setting(
        "DCTNET_MAX_BODY_BYTES",
        "max_body_bytes",
        *_whole_number(KIB, 1024 * MIB, "bytes"),
        lambda _: 10 * MIB,
        "`10485760` (10 MiB)",
    ),
    Setting(
        "DCTNET_MAX_PIXELS",
        "max_pixels",
        *_whole_number(1, 500_000_000, "pixels"),
        lambda _: 40_000_000,
        "`40000000`",
    ),
    Setting(
        "DCTNET_MAX_WORKING_SIDE",
        "max_working_side",
        *_whole_number(256, 4096, "pixels"),
        lambda _: 1280,
        "`1280`",
    ),
    Setting(
        "DCTNET_MAX_UNSENT_BYTES",
        "max_unsent_bytes",
        *_whole_number(MIB, 64 * GIB, "bytes"),
        lambda _: 256 * MIB,
        "`268435456` (256 MiB)",
    ),
    Setting(
        "DCTNET_WORKER_TMP_DIR",
        "worker_tmp_dir",
        _path,
        "a folder's path",
        _shared_memory,
        "`/dev/shm` where it can be written, else the system's folder for temporary files",
    ),
)
