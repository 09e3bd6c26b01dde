"""The settings: declared once, read once from the environment, passed down."""

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from ipaddress import IPv6Address
from math import ceil, inf
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from dctnet.cpus import available_cpus
from dctnet.ip_addresses import Network, parse_network
from dctnet.logs import LogFormat, LogLevel
from dctnet.models import pins
from dctnet.models.pins import Pin
from dctnet.runtime_registry import SETTING_VALUES as RUNTIME_VALUES
from dctnet.shared_limits import FORM_OVERHEAD_BYTES, GRACEFUL_MARGIN_S, MAX_WORKING_SIDE
from dctnet.units import GIB, KIB, MIB

PREFIX = "DCTNET_"

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - The directory itself, not a name in it.

ANY_IPV6, ANY_IPV4 = "::", "0.0.0.0"  # noqa: S104 - The image serves the pod's network.

ANY_ORIGIN = "*"

MAX_ORIGINS = 64
"""Most origins in ``DCTNET_CORS_ORIGINS``."""

MAX_STYLES = 32
"""Most styles in ``DCTNET_STYLES``."""

CODEC_SHARE = 1 / 3
"""Share of the watchdog timeout that decoding and encoding may take, each: the process that decodes
can be replaced, and nothing else needs to be."""

STYLES_ALLOWED = (
    f"at most {MAX_STYLES} different names of styles and paths of model folders, with commas"
    " between them"
)

ROUTE_SEGMENTS = frozenset({"v1", "upload", "health", "openapi.json", "docs", "static"})
"""First segments of the API's paths, with which ``DCTNET_PATH_PREFIX`` cannot begin."""

MAX_PATH_PREFIX = 200
"""Most characters of ``DCTNET_PATH_PREFIX``."""

_PATH_PREFIX = re.compile(r"(/[A-Za-z0-9_~][A-Za-z0-9._~-]*)+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")


RENAMED = {
    "DCTNET_MODEL": "DCTNET_STYLES, a list of names and folders",
    "DCTNET_MODEL_DIGEST": "DCTNET_STYLE_DIGESTS, a list of NAME=DIGEST",
}
"""Settings of earlier versions, and what replaces each."""


class Fairness(StrEnum):
    """Client identity for fair queueing: none, the API key or the address."""

    NONE = "none"
    KEY = "key"
    ADDRESS = "address"


def any_host() -> str:
    """Return the host of all addresses: ``::`` for both families, ``0.0.0.0`` without IPv6.

    Tried with a socket: with IPv6 switched off for all interfaces Linux still has dual-stack
    sockets, which take IPv4. Only a system that has none needs the other.
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind((ANY_IPV6, 0))
    except OSError:
        return ANY_IPV4
    return ANY_IPV6


class SettingsError(Exception):
    """A setting has a value that is not allowed; the message is one printable sentence."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port of a listener."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``HOST:PORT``, with an IPv6 host in brackets; raise ValueError for anything else.

        Without a host it is the host of all addresses, see `any_host`.
        """
        host, colon, number = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            IPv6Address(host)
        elif not colon or ":" in host:
            raise ValueError(text)
        port = int(number)
        if not 1 <= port <= 65535:
            raise ValueError(text)
        return cls(host or any_host(), port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Setting:
    """Declaration of one setting, from the metadata of a field of ``Settings``."""

    field: str
    """Field of ``Settings``."""
    variable: str
    """Environment variable."""
    parse: Callable[[str], object]
    """Convert the variable's text to the value; raise ValueError for what is not allowed."""
    allowed: str
    """Allowed values, which complete the sentence "it must be ..."."""
    default: Callable[[Mapping[str, str]], object]
    """Return the default value, given the environment."""
    default_text: str
    """Default value in docs/settings.md."""
    unit: str
    """Unit of a number, else empty."""


def _setting(
    variable: str,
    parse: Callable[[str], object],
    allowed: str,
    *,
    default: object = None,
    default_text: str = "",
    unit: str = "",
) -> dict[str, object]:
    """Metadata of a field; `default` is a value, or a function of the environment."""
    return {
        "variable": variable,
        "parse": parse,
        "allowed": allowed,
        "default": default if callable(default) else lambda _: default,
        "default_text": default_text or f"`{default}`",
        "unit": unit,
    }


def _count(
    variable: str,
    least: int,
    most: int,
    unit: str,
    *,
    default: object = None,
    default_text: str = "",
    auto: bool = False,
) -> dict[str, object]:
    """Metadata of a whole number; with `auto`, that word is also allowed and means None."""

    def parse(text: str) -> int | None:
        if auto and text == "auto":
            return None
        value = int(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    allowed = f"{'auto, or ' * auto}a whole number of {unit} from {least} to {most}"
    return _setting(variable, parse, allowed, default=default, default_text=default_text, unit=unit)


def _seconds(variable: str, least: float, most: float, default: float) -> dict[str, object]:
    """Metadata of a time in seconds."""

    def parse(text: str) -> float:
        value = float(text)
        if not least <= value <= most:  # Rejects NaN, too.
            raise ValueError(text)
        return value

    allowed = f"a number of seconds from {least:g} to {most:g}"
    text = f"`{default:g}`"
    return _setting(variable, parse, allowed, default=default, default_text=text, unit="seconds")


def _address(variable: str, port: int) -> dict[str, object]:
    """Metadata of the address of a listener, with its default port."""
    allowed = (
        f"HOST:PORT, such as 0.0.0.0:{port} or [::1]:{port}, or :{port} for all addresses, with a"
        " port from 1 to 65535"
    )
    return _setting(variable, Address.parse, allowed, default=Address("127.0.0.1", port))


def _one_of(*words: str) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _runtime(text: str) -> str | None:
    if text not in RUNTIME_VALUES:
        raise ValueError(text)
    return None if text == "auto" else text


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(parse_network(part.strip()) for part in text.split(","))


def parse_styles(text: str) -> tuple[str, ...]:
    """Parse a list of styles and folders; raise ValueError."""
    styles = tuple(part.strip() for part in text.split(","))
    if not all(styles) or len(set(styles)) < len(styles) or len(styles) > MAX_STYLES:
        raise ValueError(f"{text!r} is not {STYLES_ALLOWED}")
    return styles


def _style_digests(text: str) -> Mapping[str, Pin]:
    digests: dict[str, Pin] = {}
    for part in text.split(","):
        name, equals, digest = (word.strip() for word in part.partition("="))
        if not (name and equals) or name in digests:
            raise ValueError(text)
        digests[name] = Pin.parse(digest)
    return MappingProxyType(digests)


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(text)
    return text == "true"


def _on_or_off(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError(text)
    return text == "on"


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # There is no such user.
        raise ValueError(text) from None


def _path_prefix(text: str) -> str:
    if not _PATH_PREFIX.fullmatch(text) or len(text) > MAX_PATH_PREFIX:
        raise ValueError(text)
    if text.split("/")[1] in ROUTE_SEGMENTS:
        raise ValueError(text)
    return text


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(part.strip() for part in text.split(","))
    if len(origins) > MAX_ORIGINS:
        raise ValueError(text)
    return origins if origins == {ANY_ORIGIN} else frozenset(map(_origin, origins))


def _origin(text: str) -> str:
    """Return an origin in the form that browsers send (RFC 6454, 6.2); others never match."""
    url = urlsplit(text)
    port = "" if url.port in {None, _DEFAULT_PORTS.get(url.scheme)} else f":{url.port}"
    host = url.netloc.removesuffix(f":{url.port}")
    if url.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise ValueError(text)
    if text != f"{url.scheme}://{host}{port}":
        raise ValueError(text)
    return text


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


def _cpus(millicores: int | None) -> float:
    return available_cpus(limit=inf if millicores is None else millicores / 1000)


def _slots(environ: Mapping[str, str]) -> int:
    # `from_environment` has rejected a value that is not a number.
    millicores = environ.get("DCTNET_CPU_LIMIT_MILLICORES")
    return max(1, int(_cpus(int(millicores) if millicores else None)))


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can set; docs/settings.md explains each setting."""

    bind: Address = field(metadata=_address("DCTNET_BIND", 8080))
    management_bind: Address = field(metadata=_address("DCTNET_MANAGEMENT_BIND", 9090))
    path_prefix: str = field(
        metadata=_setting(
            "DCTNET_PATH_PREFIX",
            _path_prefix,
            f"a path such as /cartoons, of at most {MAX_PATH_PREFIX} characters and without a slash"
            " at its end, that begins with none of the API's own paths",
            default="",
            default_text="none",
        )
    )
    api_keys_file: Path | None = field(
        metadata=_setting(
            "DCTNET_API_KEYS_FILE",
            _path,
            "a file's path",
            default_text="none: no API key is required",
        )
    )
    cors_origins: frozenset[str] = field(
        metadata=_setting(
            "DCTNET_CORS_ORIGINS",
            _origins,
            f"{ANY_ORIGIN}, or at most {MAX_ORIGINS} origins as browsers write them, such as"
            " https://example.org or http://localhost:3000, with commas between them",
            default=frozenset(),
            default_text="none: only the server's own web UI",
        )
    )
    styles: tuple[str, ...] | None = field(
        metadata=_setting(
            "DCTNET_STYLES",
            parse_styles,
            STYLES_ALLOWED,
            default_text="every style that has been fetched and converted, else the shipped ones",
        )
    )
    style_digests: Mapping[str, Pin] = field(
        metadata=_setting(
            "DCTNET_STYLE_DIGESTS",
            _style_digests,
            "NAME=DIGEST for each pinned style, with commas between them, where DIGEST is"
            f" {pins.DESCRIPTION}",
            default=MappingProxyType({}),
            default_text="none: each model's own manifest is trusted",
        )
    )
    styles_optional: bool = field(
        metadata=_setting(
            "DCTNET_STYLES_OPTIONAL",
            _boolean,
            _one_of("true", "false"),
            default=False,
            default_text="`false`: a style that cannot be used fails the start",
        )
    )
    style_cache: int | None = field(
        metadata=_count(
            "DCTNET_STYLE_CACHE",
            1,
            MAX_STYLES,
            "styles",
            default_text="`auto`: as many as the memory limit allows, at least one per slot; one"
            " per slot without a memory limit",
            auto=True,
        )
    )
    models_dir: Path = field(
        metadata=_setting(
            "DCTNET_MODELS_DIR",
            _path,
            "a folder's path",
            default=_models_dir,
            default_text="`dctnet/models` in `$XDG_CACHE_HOME`, else in `$HOME/.cache`, else in"
            " `/var/cache`",
        )
    )
    cpu_limit_millicores: int | None = field(
        metadata=_count(
            "DCTNET_CPU_LIMIT_MILLICORES",
            1,
            1_024_000,
            "millicores",
            default_text="none: the affinity mask and the cgroup's quota count",
        )
    )
    slots: int = field(
        metadata=_count(
            "DCTNET_SLOTS",
            1,
            256,
            "images",
            default=_slots,
            default_text="the CPUs, rounded down, but at least 1",
        )
    )
    runtime: str | None = field(
        metadata=_setting(
            "DCTNET_RUNTIME",
            _runtime,
            _one_of(*RUNTIME_VALUES),
            default_text="`auto`: the fastest that this CPU and the model support",
        )
    )
    threads: int | None = field(
        metadata=_count(
            "DCTNET_THREADS",
            1,
            256,
            "threads",
            default_text="`auto`: the CPUs, rounded down, but at least 1",
            auto=True,
        )
    )
    queue_size: int = field(metadata=_count("DCTNET_QUEUE_SIZE", 1, 4096, "images", default=64))
    max_uploads: int = field(metadata=_count("DCTNET_MAX_UPLOADS", 1, 4096, "bodies", default=64))
    max_waiting_bytes: int = field(
        metadata=_count(
            "DCTNET_MAX_WAITING_BYTES",
            MIB,
            64 * GIB,
            "bytes",
            default=GIB,
            default_text="`1073741824` (1 GiB)",
        )
    )
    fairness: Fairness = field(
        metadata=_setting("DCTNET_FAIRNESS", Fairness, _one_of(*Fairness), default=Fairness.KEY)
    )
    trusted_proxies: tuple[Network, ...] = field(
        metadata=_setting(
            "DCTNET_TRUSTED_PROXIES",
            _networks,
            "addresses and networks with commas between them, such as 10.0.0.0/8,::1",
            default=(),
            default_text="none: `X-Forwarded-For` is ignored",
        )
    )
    request_timeout: float = field(metadata=_seconds("DCTNET_REQUEST_TIMEOUT", 0.1, 3600, 60))
    watchdog_timeout: float = field(metadata=_seconds("DCTNET_WATCHDOG_TIMEOUT", 0.1, 3600, 30))
    drain_delay: float = field(metadata=_seconds("DCTNET_DRAIN_DELAY", 0, 600, 0))
    header_timeout: float = field(metadata=_seconds("DCTNET_HEADER_TIMEOUT", 0.1, 600, 10))
    upload_idle_timeout: float = field(metadata=_seconds("DCTNET_UPLOAD_IDLE_TIMEOUT", 0.1, 600, 5))
    min_upload_rate: int = field(
        metadata=_count(
            "DCTNET_MIN_UPLOAD_RATE",
            1,
            GIB,
            "bytes per second",
            default=16 * KIB,
            default_text="`16384` (16 KiB per second)",
        )
    )
    response_timeout: float = field(metadata=_seconds("DCTNET_RESPONSE_TIMEOUT", 0.1, 3600, 120))
    response_idle_timeout: float = field(
        metadata=_seconds("DCTNET_RESPONSE_IDLE_TIMEOUT", 0.1, 600, 10)
    )
    min_response_rate: int = field(
        metadata=_count(
            "DCTNET_MIN_RESPONSE_RATE",
            1,
            GIB,
            "bytes per second",
            default=16 * KIB,
            default_text="`16384` (16 KiB per second)",
        )
    )
    max_body_bytes: int = field(
        metadata=_count(
            "DCTNET_MAX_BODY_BYTES",
            KIB,
            GIB,
            "bytes",
            default=24 * MIB,
            default_text="`25165824` (24 MiB)",
        )
    )
    max_pixels: int = field(
        metadata=_count("DCTNET_MAX_PIXELS", 1, 500_000_000, "pixels", default=64_000_000)
    )
    heic: bool = field(
        metadata=_setting(
            "DCTNET_HEIC",
            _on_or_off,
            _one_of("on", "off"),
            default=False,
            default_text="`off`: HEIC is rejected with 415",
        )
    )
    max_working_side: int = field(
        metadata=_count("DCTNET_MAX_WORKING_SIDE", 256, 4096, "pixels", default=MAX_WORKING_SIDE)
    )
    max_unsent_bytes: int = field(
        metadata=_count(
            "DCTNET_MAX_UNSENT_BYTES",
            MIB,
            64 * GIB,
            "bytes",
            default=256 * MIB,
            default_text="`268435456` (256 MiB)",
        )
    )
    worker_tmp_dir: Path | None = field(
        metadata=_setting(
            "DCTNET_WORKER_TMP_DIR",
            _path,
            "a folder's path",
            default=_shared_memory,
            default_text="`/dev/shm` if writable, else the system's temporary directory",
        )
    )
    log_level: LogLevel = field(
        metadata=_setting("DCTNET_LOG_LEVEL", LogLevel, _one_of(*LogLevel), default=LogLevel.INFO)
    )
    log_format: LogFormat = field(
        metadata=_setting(
            "DCTNET_LOG_FORMAT",
            LogFormat,
            _one_of(*LogFormat),
            default=LogFormat.AUTO,
            default_text="`auto`: text on a terminal, else JSON",
        )
    )

    @property
    def cpus(self) -> float:
        """How many CPUs the process may use."""
        return _cpus(self.cpu_limit_millicores)

    @property
    def threads_per_slot(self) -> float:
        """Threads of one inference while all slots compute."""
        return min(self.threads or inf, max(1.0, self.cpus / self.slots))

    @property
    def max_form_bytes(self) -> int:
        """Most bytes of a request's body: the largest image, in a form."""
        return self.max_body_bytes + FORM_OVERHEAD_BYTES

    @property
    def codec_timeout(self) -> float:
        """Seconds that decoding and encoding of an image may take, each."""
        return self.watchdog_timeout * CODEC_SHARE

    @property
    def graceful_timeout(self) -> int:
        """Seconds from SIGTERM to the exit at the latest: all accepted requests are complete."""
        return ceil(self.drain_delay + self.request_timeout) + GRACEFUL_MARGIN_S

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the ``DCTNET_*`` variables, an empty one counting as unset; raise SettingsError."""
        for old, new in RENAMED.items():
            if environ.get(old):  # Ignoring it would serve another model, or an unpinned one.
                raise SettingsError(f"{old} no longer exists: set {new}.")
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
        if settings.max_waiting_bytes < settings.max_form_bytes:
            raise SettingsError(
                f"DCTNET_MAX_WAITING_BYTES is {settings.max_waiting_bytes}, but it must be at least"
                f" {settings.max_form_bytes}: DCTNET_MAX_BODY_BYTES, and {FORM_OVERHEAD_BYTES} for"
                " a form."
            )
        return settings


SETTINGS = tuple(Setting(field=each.name, **each.metadata) for each in fields(Settings))
"""All settings, in the order of docs/settings.md."""


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Names of variables that begin with ``DCTNET_`` and are not settings, sorted.

    They deserve a warning, not an error: Kubernetes gives each pod variables such as
    ``DCTNET_PORT`` for a Service called ``dctnet``.
    """
    known = {setting.variable for setting in SETTINGS}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
