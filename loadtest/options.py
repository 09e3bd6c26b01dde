"""Options of the load client, and scenarios: files with values of these options.

Imports nothing that is slow to import, since ``dctnet --help`` reads it.
"""

import argparse
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from loadtest.errors import LoadError
from loadtest.gates import GRAMMAR, Gate, default_gates

T = TypeVar("T")

ENDPOINT = "/v1/cartoons"
"""Default path, if the URL has none."""

DESCRIPTION = """\
Load test of a dctnet server: send images and report the responses. Requests are never retried. The
exit status is 0 if no gate is violated, by default if the service level objectives are met."""

SCENARIOS = Path(__file__).parent / "scenarios"

HOSTILE_KINDS = ("slow-headers", "slow-bodies", "disconnect", "malformed", "invalid-image", "idle")
MAX_HOSTILE = 1000
"""Maximum number of hostile clients of one kind."""

DEFAULTS: dict[str, Any] = {
    "clients": 10,
    "duration": 10.0,
    "timeout": 60.0,
    "size": (512, 512),
    "format": "jpeg",
    "images": 16,
    "seed": 0,
    "connections": 1000,
    "header": (),
    "steps": (),
    "hostile": (),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the URL and all options; what is not given is None until `resolve`."""
    parser.add_argument(
        "url",
        type=_url,
        metavar="URL",
        help=f"server, such as http://127.0.0.1:8080; default path: {ENDPOINT}",
    )
    parser.add_argument(
        "--scenario",
        metavar="NAME",
        help=f"default options: {', '.join(scenario_names())}, or a TOML file of options",
    )
    _add_load(parser)
    _add_requests(parser)
    _add_results(parser)


def _add_load(parser: argparse.ArgumentParser) -> None:
    load = parser.add_argument_group("load")
    loop = load.add_mutually_exclusive_group()
    loop.add_argument(
        "--clients",
        type=int,
        metavar="N",
        help="closed loop: clients that wait for each response; default: 10",
    )
    loop.add_argument("--rate", type=float, metavar="R", help="open loop: requests per second")
    load.add_argument(
        "--poisson",
        action="store_true",
        default=None,
        help="exponential inter-arrival times with --rate",
    )
    load.add_argument(
        "--steps",
        type=_argument(_steps),
        metavar="'LENGTH:FACTOR ...'",
        help="multiples of --rate, one after the other, with their lengths in proportion",
    )
    load.add_argument(
        "--duration",
        type=float,
        metavar="S",
        help="time in which requests are started, in seconds; default without --requests: 10",
    )
    load.add_argument("--requests", type=int, metavar="N", help="maximum number of requests")
    load.add_argument(
        "--hostile",
        type=_argument(_hostile),
        action="append",
        metavar="KIND=N",
        help=f"N hostile clients beside the load; repeatable; KIND: {', '.join(HOSTILE_KINDS)}",
    )


def _add_requests(parser: argparse.ArgumentParser) -> None:
    requests = parser.add_argument_group("requests")
    requests.add_argument(
        "--timeout", type=float, metavar="S", help="request timeout in seconds; default: 60"
    )
    requests.add_argument(
        "--size",
        type=_argument(_size),
        metavar="WxH",
        help="size of generated images; default: 512x512",
    )
    requests.add_argument(
        "--format", choices=["jpeg", "png"], help="format of generated images; default: jpeg"
    )
    requests.add_argument(
        "--images",
        type=_argument(_images),
        metavar="K",
        help="number of distinct generated images, sent round robin; `each` generates one per "
        "request and needs --rate or --requests; default: 16",
    )
    requests.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="send the images of this folder instead of generated ones",
    )
    requests.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of generated images and of --poisson; default: 0",
    )
    requests.add_argument(
        "--header",
        type=_argument(_header),
        action="append",
        metavar="'NAME: VALUE'",
        help="header of every request; repeatable",
    )
    requests.add_argument(
        "--connections",
        type=int,
        metavar="N",
        help="maximum connections with --rate; default: 1000",
    )
    requests.add_argument(
        "--new-connections",
        action="store_true",
        default=None,
        help="open a connection per request",
    )


def _add_results(parser: argparse.ArgumentParser) -> None:
    results = parser.add_argument_group("results")
    results.add_argument(
        "--fail-if",
        type=_argument(Gate.parse),
        action="append",
        metavar="GATE",
        help=f"exit with 1 if this holds, instead of the default gates; repeatable; {GRAMMAR}; "
        f"default: {', '.join(map(str, default_gates()))}",
    )
    results.add_argument(
        "--json", type=Path, metavar="FILE", help="write the report as JSON to this file"
    )
    results.add_argument(
        "--html", type=Path, metavar="FILE", help="write the report with charts to this file"
    )
    results.add_argument(
        "--metrics",
        type=_argument(_metrics_url),
        metavar="URL",
        help="metrics of a replica, such as http://127.0.0.1:9090/metrics, for its memory and "
        "queue in the HTML report",
    )
    results.add_argument(
        "--metrics-port",
        type=_argument(_port),
        metavar="PORT",
        help="serve the client's own Prometheus metrics on this port during the load",
    )


def scenario_names() -> list[str]:
    """Return the names of the scenarios that the package contains."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def resolve(args: argparse.Namespace) -> argparse.Namespace:
    """Fill in what was not given: from the scenario, then from the defaults.

    Raises:
        LoadError: There is no such scenario, or it has an invalid value.
    """
    given = {name: value for name, value in vars(args).items() if value is not None}
    scenario = _read_scenario(args.scenario) if args.scenario else {}
    if "clients" in given:  # A closed loop in place of an open one, and the reverse.
        for name in ("rate", "poisson", "steps"):
            scenario.pop(name, None)
    if "rate" in given:
        scenario.pop("clients", None)
    values = vars(args) | scenario | given
    defaults = DEFAULTS | {"fail_if": default_gates()}
    if values["requests"] is not None:
        del defaults["duration"]
    missing = {name: value for name, value in defaults.items() if values[name] is None}
    return argparse.Namespace(**values | missing)


class _ScenarioParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LoadError(f"{self.prog}: {message}.")


def _read_scenario(name: str) -> dict[str, Any]:
    """Read a scenario by the same rules as the command line."""
    path = Path(name) if name.endswith(".toml") else SCENARIOS / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text())
    except OSError:
        raise LoadError(
            f"There is no scenario {name}: name {', '.join(scenario_names())}, or a TOML file."
        ) from None
    except ValueError as error:
        raise LoadError(f"{path}: {error}.") from None
    content.pop("description", None)
    parser = _ScenarioParser(prog=str(path), add_help=False, allow_abbrev=False)
    _add_load(parser)
    _add_requests(parser)
    _add_results(parser)
    words = [word for key, value in content.items() for word in _option(key, value)]
    return {
        key: value for key, value in vars(parser.parse_args(words)).items() if value is not None
    }


def _option(key: str, value: object) -> list[str]:
    if value is True:
        return [f"--{key}"]
    return [f"--{key}={one}" for one in (value if isinstance(value, list) else [value])]


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser whose ValueErrors argparse shows."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


def _is_http(text: str) -> bool:
    parts = urlsplit(text)
    try:
        return bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:  # The port is not a number.
        return False


def _url(text: str) -> str:
    parts = urlsplit(text)
    if not _is_http(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:8080")
    return text if parts.path.strip("/") else parts._replace(path=ENDPOINT).geturl()


def _metrics_url(text: str) -> str:
    if not _is_http(text):
        raise ValueError(f"{text!r} is not a URL such as http://127.0.0.1:9090/metrics")
    parts = urlsplit(text)
    return text if parts.path.strip("/") else parts._replace(path="/metrics").geturl()


def _port(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", text, re.ASCII) or int(text) > 65_535:
        raise ValueError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _steps(text: str) -> list[tuple[float, float]]:
    """Parse steps to pairs of length and factor."""
    number = r"\d+(?:\.\d+)?"
    steps = [
        (float(match[1]), float(match[2]))
        for match in (re.fullmatch(rf"({number}):({number})", word) for word in text.split())
        if match
    ]
    if len(steps) != len(text.split()) or not all(length for length, _ in steps):
        raise ValueError(f"{text!r} is not a list of LENGTH:FACTOR, such as '2:1 1:3 2:1'")
    if not any(factor for _, factor in steps):
        raise ValueError("at least one step needs a positive factor")
    return steps


def _hostile(text: str) -> tuple[str, int]:
    kind, _, number = text.partition("=")
    if kind not in HOSTILE_KINDS or not re.fullmatch(r"[1-9]\d{0,3}", number, re.ASCII):
        raise ValueError(
            f"{text!r} is not KIND=N, such as idle=50: KIND is {', '.join(HOSTILE_KINDS)}"
        )
    if int(number) > MAX_HOSTILE:
        raise ValueError(f"{number} hostile clients are more than {MAX_HOSTILE}")
    return kind, int(number)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or "0" in match.groups():
        raise ValueError(f"{text!r} is not WIDTHxHEIGHT, such as 640x480")
    return int(match[1]), int(match[2])


def _images(text: str) -> int:
    """Parse a number; return 0 for ``each``."""
    if text == "each":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{text!r} is neither a positive number nor `each`")
    return int(text)


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*", text):
        raise ValueError(f"{text!r} is not a header such as 'X-Api-Key: secret'")
    return name, value.strip()


def parameters(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the resolved options that shape the load, as text; headers by their names."""
    shown = vars(args) | {
        "header": " ".join(name for name, _ in args.header),
        "images": args.images or "each",
        "size": "x".join(map(str, args.size)),
        "steps": " ".join(f"{length:g}:{factor:g}" for length, factor in args.steps),
        "hostile": " ".join(f"{kind}={number}" for kind, number in args.hostile),
    }
    hidden = {"command", "url", "fail_if", "json", "html", "metrics", "metrics_port"}
    if args.rate is not None:
        hidden.add("clients")
    return [
        (name.replace("_", " "), _text(value))
        for name, value in shown.items()
        if name not in hidden and value not in {None, "", False}
    ]


def _text(value: object) -> str:
    if value is True:
        return "yes"
    return f"{value:g}" if isinstance(value, float) else str(value)
