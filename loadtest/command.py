"""The command ``python -m loadtest.client``."""

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
"""Where images go when a URL names only a server."""

CONNECT_TIMEOUT_S = 10
"""How long the server's port may take to accept the connection that tries it, in seconds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; return 0 if all were right or rejected, 1 if not, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    try:
        plan = _plan(args)
        asyncio.run(_require_reachable(plan.url))
        if args.json:
            args.json.touch()  # Better now than after an hour of load.
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
        return 130  # What a shell reports for a command that SIGINT ended.
    print(report.table(), end="")
    return 0 if report.is_clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.client",
        description="Send images to a dctnet server and report how it answered. "
        "Nothing is sent twice. The exit status is 0 if all were answered rightly or rejected.",
    )
    parser.add_argument(
        "url", type=_url, metavar="URL", help=f"such as http://127.0.0.1:8080, for its {ENDPOINT}"
    )
    when = parser.add_argument_group("when requests are sent").add_mutually_exclusive_group()
    when.add_argument(
        "--clients",
        type=int,
        default=10,
        metavar="N",
        help="clients that each wait for an answer before they ask again; default: 10",
    )
    when.add_argument(
        "--rate", type=float, metavar="R", help="requests a second that wait for nobody"
    )
    parser.add_argument(
        "--poisson", action="store_true", help="spread the requests of --rate by chance"
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--duration", type=float, metavar="S", help="seconds; default: 10")
    end.add_argument("--requests", type=int, metavar="N", help="how many are sent instead")
    parser.add_argument("--timeout", type=float, default=60, metavar="S", help="default: 60")
    what = parser.add_argument_group("what is sent")
    what.add_argument(
        "--size", type=_size, default=(512, 512), metavar="WxH", help="default: 512x512"
    )
    what.add_argument("--format", choices=["jpeg", "png"], default="jpeg", help="default: jpeg")
    what.add_argument(
        "--images",
        type=_images,
        default=16,
        metavar="K",
        help="how many distinct ones, sent in turn; `each` makes one for every request, which "
        "needs --rate or --requests; default: 16",
    )
    what.add_argument("--folder", type=Path, metavar="DIR", help="send its images instead")
    what.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    what.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="send it with every request; may be given more than once",
    )
    parser.add_argument(
        "--connections",
        type=int,
        default=1000,
        metavar="N",
        help="how many --rate opens at most; default: 1000",
    )
    parser.add_argument("--new-connections", action="store_true", help="open one for every request")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to it too")
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
            raise LoadError("`--poisson` needs --rate: clients ask when they are free.")
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
    """Raise LoadError if nobody listens there: no load is needed to find that out."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        raise LoadError(f"{parts.netloc} did not answer within {CONNECT_TIMEOUT_S} s.") from None
    except OSError as error:
        raise LoadError(
            f"{parts.netloc} cannot be reached: {error.strerror}. Is the server running there?"
        ) from None
    writer.close()


def _url(text: str) -> str:
    parts = urlsplit(text)
    try:
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # The port is no number.
        known = False
    if not known:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL such as http://127.0.0.1:8080")
    return text if parts.path.strip("/") else parts._replace(path=ENDPOINT).geturl()


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or "0" in match.groups():
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 640x480")
    return int(match[1]), int(match[2])


def _images(text: str) -> int:
    """Read a number, with 0 for ``each``."""
    if text == "each":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a positive number nor `each`")
    return int(text)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is no header such as 'X-Api-Key: secret'")
    return name, value.strip()
