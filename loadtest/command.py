"""Commands ``dctnet load`` and ``python -m loadtest.client``."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event
from types import FrameType
from urllib.parse import urlsplit

from loadtest import options
from loadtest.arrivals import Arrivals, ClosedLoop, OpenLoop, Step
from loadtest.client import Plan, measure
from loadtest.client_metrics import ClientMetrics
from loadtest.errors import LoadError
from loadtest.gates import violations
from loadtest.html_report import render
from loadtest.images import SourceImage, generate_images, read_folder
from loadtest.server_metrics import scraping

CONNECT_TIMEOUT_S = 10
"""Timeout of the connection test before the load, in seconds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.client", description=options.DESCRIPTION
    )
    options.add_arguments(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Run the load; return 0 if no gate is violated, 1 if one is or the load cannot run."""
    try:
        return _run(options.resolve(args))
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # The shell's status for a command terminated by SIGINT.


def _run(args: argparse.Namespace) -> int:
    plan = _plan(args)
    asyncio.run(_require_reachable(plan.url))
    for file in (args.json, args.html):
        if file:
            file.touch()  # Fail now, not after an hour of load.
    metrics = ClientMetrics()
    with ExitStack() as stack:
        if args.metrics_port is not None:
            stack.enter_context(metrics.serving(args.metrics_port))
        states = stack.enter_context(scraping(args.metrics))
        stop = stack.enter_context(_stopping_at_signal())
        measurement = measure(plan, stop, metrics)
    report = measurement.report
    if args.json:
        args.json.write_text(report.to_json())
    if args.html:
        args.html.write_text(
            render(measurement, states, args.fail_if, options.parameters(args), args.metrics)
        )
    print(report.table(), end="")
    if args.html:
        print(f"\nThe report with charts is {args.html}.")
    violated = violations(args.fail_if, report)
    for line in violated:
        print(line, file=sys.stderr)
    return 1 if violated else 0


@contextmanager
def _stopping_at_signal() -> Iterator[Event]:
    """Yield an event that the first SIGINT or SIGTERM sets, so that the report is still written."""
    stop = Event()

    def request_stop(_: int, __: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("Completing the requests in flight.", file=sys.stderr)

    previous = {
        number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _plan(args: argparse.Namespace) -> Plan:
    arrivals = _arrivals(args)
    return Plan(
        url=args.url,
        arrivals=arrivals,
        images=_select_images(args, arrivals),
        timeout_s=args.timeout,
        headers=dict(args.header),
        connections=args.connections,
        new_connections=bool(args.new_connections),
        hostile=dict(args.hostile),
    )


def _arrivals(args: argparse.Namespace) -> Arrivals:
    if args.rate is None:
        for name in ("poisson", "steps"):
            if getattr(args, name):
                raise LoadError(f"`--{name}` needs --rate: closed-loop clients have no rate.")
        return ClosedLoop(clients=args.clients, duration_s=args.duration, requests=args.requests)
    return OpenLoop(
        rate=args.rate,
        poisson=bool(args.poisson),
        steps=[Step(weight=length, factor=factor) for length, factor in args.steps],
        seed=args.seed,
        duration_s=args.duration,
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
