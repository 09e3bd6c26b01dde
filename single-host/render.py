"""Writes what supervisord, nginx, logrotate and Docker Compose read, from one file of settings.

It needs Python 3.11 and this repository, but no package: ``python3 single-host/render.py``.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "service"))

from dctnet.config import KIB, MIB, Settings, SettingsError, unknown_variables  # noqa: E402
from dctnet.cpus import available_cpus  # noqa: E402
from dctnet.memory import memory_bound  # noqa: E402

DEFAULTS = HERE / "settings.env"
TEMPLATES = HERE / "templates"

TERMINATION_MARGIN_S = 5
"""What supervisord gives a replica beyond the time in which it ends by itself."""
READ_MARGIN_S = 5
"""What nginx waits beyond the request timeout, so that the replica's own 504 comes first."""
TOTAL_MARGIN_S = 10
"""What both tries may take together beyond the request timeout."""
FORM_BYTES = 64 * KIB
"""What a request may hold beside its image."""

DERIVED_SETTINGS = ("DCTNET_BIND", "DCTNET_MANAGEMENT_BIND")
"""What no file may set: it differs from replica to replica."""

_LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
# Without quotes, $, % and @ no format that is written needs an escape.
_PLAIN = re.compile(r"[A-Za-z0-9 ._:,/+=\[\]-]*")
_BLOCK = re.compile(r"^ *[#;] each (replica|address)\n(.*?)^ *[#;] end\n", re.MULTILINE | re.DOTALL)


class ConfigError(Exception):
    """Something in a file of settings; the message is one sentence."""


class PlaceholderTemplate(Template):
    """``@{NAME}``: nginx, supervisord and Compose all have another meaning for ``$`` or ``%``."""

    delimiter = "@"
    idpattern = "(?-i:[A-Z_]+)"


@dataclass(frozen=True)
class HostConfig:
    """What one file of settings says."""

    values: Mapping[str, str]

    @classmethod
    def read(cls, file: Path) -> "HostConfig":
        """Read a machine's file over the defaults; raise ConfigError."""
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
        config.settings(1)  # Its mistakes show here.
        return config

    @property
    def replicas(self) -> int:
        """How many there are."""
        return self._integer("REPLICAS")

    def management_port(self, number: int) -> int:
        """Return the port of a replica's probes; replicas count from 1."""
        return self._integer("MANAGEMENT_PORT") + number - 1

    def api_port(self, number: int) -> int:
        """Return the port where nginx reaches a replica."""
        return self._integer("API_PORT") + number - 1

    def environment(self, number: int) -> dict[str, str]:
        """Return a replica's variables."""
        cpus_per_replica = str(max(1, int(available_cpus() / self.replicas)))
        common = {name: value for name, value in self.values.items() if name.startswith("DCTNET_")}
        for name in ("DCTNET_SLOTS", "DCTNET_THREADS"):
            common[name] = common[name] or cpus_per_replica
        return {
            "DCTNET_BIND": f"127.0.0.1:{self.api_port(number)}",
            "DCTNET_MANAGEMENT_BIND": f"127.0.0.1:{self.management_port(number)}",
        } | {name: value for name, value in common.items() if value}

    def settings(self, number: int) -> Settings:
        """Return what a replica will make of its variables; raise ConfigError."""
        environment = self.environment(number)
        if unknown := unknown_variables(environment):
            raise ConfigError(f"There is no setting {unknown[0]}; docs/settings.md has them all.")
        try:
            return Settings.from_environment(environment)
        except SettingsError as error:
            raise ConfigError(str(error)) from None

    def render(self, template: str) -> str:
        """Fill a template: first what is repeated for each replica or address, then the rest."""
        replicas = range(1, self.replicas + 1)
        repeated: dict[str, list[dict[str, str]]] = {
            "replica": [self._replica_variables(number) for number in replicas],
            "address": [{"LISTEN_ADDRESS": address} for address in self.values["LISTEN"].split()],
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
            "MAX_REQUEST_BYTES": settings.max_body_bytes + FORM_BYTES,
            "HEADER_TIMEOUT": ceil(settings.header_timeout),
            "UPLOAD_IDLE_TIMEOUT": ceil(settings.upload_idle_timeout),
            "PROXY_READ_TIMEOUT": ceil(settings.request_timeout) + READ_MARGIN_S,
            "PROXY_TOTAL_TIMEOUT": ceil(settings.request_timeout) + TOTAL_MARGIN_S,
            "TERMINATION_TIMEOUT": settings.graceful_timeout + TERMINATION_MARGIN_S,
        }

    def _integer(self, name: str) -> int:
        value = self.values[name]
        if not re.fullmatch(r"[1-9][0-9]{0,4}", value):
            raise ConfigError(f"{name} is {value!r}, but it must be a whole number.")
        return int(value)


def _memory_limit(settings: Settings) -> str:
    """Return the memory bound of a replica as Docker Compose writes it."""
    threads = settings.threads or settings.slots
    return f"{ceil(memory_bound(settings, threads) / MIB)}m"


def _read_settings(file: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; empty ones and those that begin with # say nothing."""
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
    """Write the files, or return one sentence on why not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", type=Path, help="what differs from single-host/settings.env")
    parser.add_argument("folder", type=Path, help="where the files are written; made if need be")
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
