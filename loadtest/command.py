"""Command line of ``python -m loadtest.client``."""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from loadtest.arrivals import Arrivals, ClosedLoop, OpenLoop
from loadtest.client import Plan, run
from loadtest.errors import LoadError
from loadtest.images import SourceImage, generate_images, read_folder

ENDPOINT = "/v1/cartoons"
"""Default path, if the URL has none."""

CONNECT_TIMEOUT_S = 10
"""Timeout of the connection test before the load, in seconds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if all are ok or rejected, 1 if not, 2 for usage."""
    args = _parser().parse_args(argv)
    try:
        plan = _plan(args)
        asyncio.run(_require_reachable(plan.url))
        if args.json:
            args.json.touch()  # Fail now, not after an hour of load.
        report = run(plan)
        if args.json:
            args.json.write_text(report.to_json())
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # The shell's status for a command terminated by SIGINT.
    print(report.table(), end="")
    return 0 if report.is_clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.client",
        description="Load test of a dctnet server: send images and report the responses. Requests "
        "are never retried. The exit status is 0 if every response is ok or a rejection.",
    )
    parser.add_argument(
        "url",
        type=_url,
        metavar="URL",
        help=f"server, such as http://127.0.0.1:8080; default path: {ENDPOINT}",
    )
    when = parser.add_argument_group("arrivals").add_mutually_exclusive_group()
    when.add_argument(
        "--clients",
        type=int,
        default=10,
        metavar="N",
        help="closed loop: clients that wait for each response; default: 10",
    )
    when.add_argument("--rate", type=float, metavar="R", help="open loop: requests per second")
    parser.add_argument(
        "--poisson", action="store_true", help="exponential inter-arrival times with --rate"
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--duration",
        type=float,
        metavar="S",
        help="time in which requests are started, in seconds; default: 10",
    )
    end.add_argument(
        "--requests", type=int, metavar="N", help="number of requests, instead of --duration"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=60,
        metavar="S",
        help="request timeout in seconds; default: 60",
    )
    what = parser.add_argument_group("requests")
    what.add_argument(
        "--size",
        type=_size,
        default=(512, 512),
        metavar="WxH",
        help="size of generated images; default: 512x512",
    )
    what.add_argument(
        "--format",
        choices=["jpeg", "png"],
        default="jpeg",
        help="format of generated images; default: jpeg",
    )
    what.add_argument(
        "--images",
        type=_images,
        default=16,
        metavar="K",
        help="number of distinct generated images, sent round robin; `each` generates one per "
        "request and needs --rate or --requests; default: 16",
    )
    what.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="send the images of this folder instead of generated ones",
    )
    what.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of generated images and of --poisson; default: 0",
    )
    what.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="header of every request; repeatable",
    )
    parser.add_argument(
        "--connections",
        type=int,
        default=1000,
        metavar="N",
        help="maximum connections with --rate; default: 1000",
    )
    parser.add_argument(
        "--new-connections", action="store_true", help="open a connection per request"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the report as JSON to this file"
    )
    return parser


def _plan(args: argparse.Namespace) -> Plan:
    arrivals = _arrivals(args)
    return Plan(
        url=args.url,
        arrivals=arrivals,
        images=_select_images(args, arrivals),
        timeout_s=args.timeout,
        headers=dict(args.header),
        connections=args.connections,
        new_connections=args.new_connections,
    )


def _arrivals(args: argparse.Namespace) -> Arrivals:
    duration_s = args.duration
    if duration_s is None and args.requests is None:
        duration_s = 10.0
    if args.rate is None:
        if args.poisson:
            raise LoadError("`--poisson` needs --rate: closed-loop clients have no rate.")
        return ClosedLoop(clients=args.clients, duration_s=duration_s, requests=args.requests)
    return OpenLoop(
        rate=args.rate,
        poisson=args.poisson,
        seed=args.seed,
        duration_s=duration_s,
        requests=args.requests,
    )


def _select_images(args: argparse.Namespace, arrivals: Arrivals) -> list[SourceImage]:
    if args.folder:
        return read_folder(args.folder)
    count = args.images or arrivals.count()
    if count is None:
        raise LoadError("`--images each` needs --rate or --requests, to know how many.")
    return generate_images(count, *args.size, format=args.format, seed=args.seed)


async def _require_reachable(url: str) -> None:
    """Raise LoadError unless the port accepts a connection, before any load."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        raise LoadError(
            f"{parts.netloc} did not accept a connection within {CONNECT_TIMEOUT_S} s."
        ) from None
    except OSError as error:
        raise LoadError(
            f"{parts.netloc} cannot be reached: {error.strerror}. Is the server running there?"
        ) from None
    writer.close()


def _url(text: str) -> str:
    parts = urlsplit(text)
    try:
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # The port is not a number.
        known = False
    if not known:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:8080")
    return text if parts.path.strip("/") else parts._replace(path=ENDPOINT).geturl()


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or "0" in match.groups():
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 640x480")
    return int(match[1]), int(match[2])


def _images(text: str) -> int:
    """Parse a number; return 0 for ``each``."""
    if text == "each":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a positive number nor `each`")
    return int(text)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not a header such as 'X-Api-Key: secret'")
    return name, value.strip()
