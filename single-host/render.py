"""Render the files of supervisord, nginx, logrotate and Docker Compose from one settings file.

Needs Python 3.11 and this repository, but no package: ``python3 single-host/render.py``.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from math import ceil
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "service"))

from dctnet.config import (  # noqa: E402
    ANY_IPV4,
    Settings,
    SettingsError,
    any_host,
    unknown_variables,
)
from dctnet.cpus import available_cpus  # noqa: E402
from dctnet.memory import memory_bound  # noqa: E402
from dctnet.shared_limits import (  # noqa: E402
    FORM_OVERHEAD_BYTES,
    PROXY_READ_MARGIN_S,
    PROXY_TOTAL_MARGIN_S,
    TERMINATION_MARGIN_S,
)
from dctnet.units import MIB  # noqa: E402

DEFAULTS = HERE / "settings.env"
TEMPLATES = HERE / "templates"

DERIVED_SETTINGS = ("DCTNET_BIND", "DCTNET_MANAGEMENT_BIND")
"""Settings that differ per replica, so no file may set them."""

_LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
# Values without quotes, $, % and @ need no escape in any of the formats.
_PLAIN = re.compile(r"[A-Za-z0-9 ._:,/+=\[\]-]*")
_BLOCK = re.compile(r"^ *[#;] each (replica|address)\n(.*?)^ *[#;] end\n", re.MULTILINE | re.DOTALL)


class ConfigError(Exception):
    """A settings file is wrong; the message is one sentence."""


class PlaceholderTemplate(Template):
    """Template with ``@{NAME}``: nginx, supervisord and Compose use ``$`` and ``%``."""

    delimiter = "@"
    idpattern = "(?-i:[A-Z_]+)"


@dataclass(frozen=True)
class HostConfig:
    """Settings of a single host: those of its file and the defaults."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, file: Path) -> "HostConfig":
        """Read a host's settings file over the defaults; raise ConfigError."""
        defaults = _read_settings(DEFAULTS)
        own = _read_settings(file)
        known = defaults | dict.fromkeys(name for name in own if name.startswith("DCTNET_"))
        if unknown := sorted({*own} - {*known}):
            raise ConfigError(f"{file}: there is no setting {unknown[0]}; {DEFAULTS} has them all.")
        for name in DERIVED_SETTINGS:
            if name in own:
                raise ConfigError(f"{file}: {name} follows from API_PORT and MANAGEMENT_PORT.")
        config = cls(defaults | own)
        if config.replicas < 2:
            raise ConfigError(
                f"{file}: REPLICAS must be at least 2, so that one serves at any time."
            )
        config.settings(1)  # Raises ConfigError for what the server would reject.
        _ = config.listen_addresses  # Likewise for what nginx would reject.
        return config

    @property
    def replicas(self) -> int:
        """Number of replicas."""
        return self._integer("REPLICAS")

    @property
    def listen_addresses(self) -> list[str]:
        """Addresses where nginx listens, IPv6 ones in brackets; raise ConfigError."""
        addresses = [_listen_address(text) for text in self.values["LISTEN"].split()]
        return addresses or list(dict.fromkeys([ANY_IPV4, _listen_address(any_host())]))

    def management_port(self, number: int) -> int:
        """Management port of a replica; replicas count from 1."""
        return self._integer("MANAGEMENT_PORT") + number - 1

    def api_port(self, number: int) -> int:
        """API port of a replica, for nginx."""
        return self._integer("API_PORT") + number - 1

    def environment(self, number: int) -> dict[str, str]:
        """Environment variables of a replica."""
        cpus_per_replica = str(max(1, int(available_cpus() / self.replicas)))
        common = {name: value for name, value in self.values.items() if name.startswith("DCTNET_")}
        for name in ("DCTNET_SLOTS", "DCTNET_THREADS"):
            common[name] = common[name] or cpus_per_replica
        return {
            "DCTNET_BIND": f"127.0.0.1:{self.api_port(number)}",
            "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{self.management_port(number)}",
        } | {name: value for name, value in common.items() if value}

    def settings(self, number: int) -> Settings:
        """Settings that a replica reads from its environment; raise ConfigError."""
        environment = self.environment(number)
        if unknown := unknown_variables(environment):
            raise ConfigError(f"There is no setting {unknown[0]}; docs/settings.md has them all.")
        try:
            return Settings.from_environment(environment)
        except SettingsError as error:
            raise ConfigError(str(error)) from None

    def render(self, template: str) -> str:
        """Fill in a template: first the blocks per replica or address, then the rest."""
        replicas = range(1, self.replicas + 1)
        repeated: dict[str, list[dict[str, str]]] = {
            "replica": [self._replica_variables(number) for number in replicas],
            "address": [{"LISTEN_ADDRESS": address} for address in self.listen_addresses],
        }

        def repeat(block: re.Match[str]) -> str:
            return "".join(
                PlaceholderTemplate(block[2]).safe_substitute(v) for v in repeated[block[1]]
            )

        return PlaceholderTemplate(_BLOCK.sub(repeat, template)).substitute(self._host_variables())

    def _replica_variables(self, number: int) -> dict[str, str]:
        environment = self.environment(number)
        return {
            "REPLICA": str(number),
            "API_PORT": str(self.api_port(number)),
            "MANAGEMENT_PORT": str(self.management_port(number)),
            "SLOTS": environment["DCTNET_SLOTS"],
            "ENVIRONMENT": ",".join(f'{name}="{value}"' for name, value in environment.items()),
            "ENVIRONMENT_YAML": "\n      ".join(
                f'{name}: "{value}"' for name, value in environment.items()
            ),
        }

    def _host_variables(self) -> dict[str, object]:
        settings = self.settings(1)
        port = self.values["HTTPS_PORT"]
        return {
            **self.values,
            "MEMORY_LIMIT": self.values["MEMORY_LIMIT"] or _memory_limit(settings),
            "HTTPS_ORIGIN": f"https://{self.values['SERVER_NAME']}" + f":{port}" * (port != "443"),
            "MODELS_DIR": settings.models_dir,
            "MAX_REQUEST_BYTES": settings.max_body_bytes + FORM_OVERHEAD_BYTES,
            "HEADER_TIMEOUT": ceil(settings.header_timeout),
            "UPLOAD_IDLE_TIMEOUT": ceil(settings.upload_idle_timeout),
            "PROXY_READ_TIMEOUT": ceil(settings.request_timeout) + PROXY_READ_MARGIN_S,
            "PROXY_TOTAL_TIMEOUT": ceil(settings.request_timeout) + PROXY_TOTAL_MARGIN_S,
            "TERMINATION_TIMEOUT": settings.graceful_timeout + TERMINATION_MARGIN_S,
        }

    def _integer(self, name: str) -> int:
        value = self.values[name]
        if not re.fullmatch(r"[1-9][0-9]{0,4}", value):
            raise ConfigError(f"{name} is {value!r}, but it must be a whole number.")
        return int(value)


def _listen_address(text: str) -> str:
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return f"[{IPv6Address(host)}]"
    except ValueError:
        if ":" in text or host != text:
            raise ConfigError(
                f"LISTEN has {text!r}, but it must have addresses without ports:"
                " those are HTTP_PORT and HTTPS_PORT."
            ) from None
        return text


def _memory_limit(settings: Settings) -> str:
    """Memory bound of a replica, in Docker Compose's notation."""
    threads = settings.threads or settings.slots
    return f"{ceil(memory_bound(settings, threads) / MIB)}m"


def _read_settings(file: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; ignore empty lines and comments."""
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}.") from None
    values = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if not match or not _PLAIN.fullmatch(match[2]):
            raise ConfigError(
                f"{file}:{number}: this is not NAME=value, or has a character like $."
            )
        values[match[1]] = match[2]
    return values


def main() -> str | None:
    """Write the files; return an error message or None."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "settings", type=Path, help="settings that differ from single-host/settings.env"
    )
    parser.add_argument("folder", type=Path, help="directory for the files; created if missing")
    args = parser.parse_args()
    try:
        config = HostConfig.read(args.settings)
        files = {path.name: config.render(path.read_text()) for path in TEMPLATES.iterdir()}
    except ConfigError as error:
        return str(error)
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (args.folder / name).write_text(text)
    return None


if __name__ == "__main__":
    sys.exit(main())
