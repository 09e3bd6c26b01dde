"""Probe latency under load."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

INTERVAL_S = 0.1
"""Interval of probes, in seconds; shorter than a kubelet's, for a meaningful p99."""

TIMEOUT_S = 10


@dataclass
class ProbeResults:
    """Latencies and failures of probes."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    """Number of failed probes and of probes without a response."""


@contextmanager
def poll_probes(urls: Sequence[str]) -> Iterator[ProbeResults]:
    """Probe these URLs one after another until the block ends."""
    result, ended = ProbeResults(), Event()
    thread = Thread(target=_poll, args=(urls, result, ended))
    thread.start()
    try:
        yield result
    finally:
        ended.set()
        thread.join()


def _poll(urls: Sequence[str], result: ProbeResults, ended: Event) -> None:
    while not ended.wait(INTERVAL_S):
        for url in urls:
            started = time.monotonic()
            try:
                with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310
                    pass
            except OSError:  # Includes HTTPError, a failed probe.
                result.failed += 1
            result.seconds.append(time.monotonic() - started)
