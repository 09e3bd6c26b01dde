"""How quickly probes answer while something else goes on."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

INTERVAL_S = 0.1
"""How often the probes are asked: more often than a kubelet does, so that a p99 means something."""

TIMEOUT_S = 10


@dataclass
class ProbeResults:
    """What the probes answered."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    """How often one was failed or did not answer."""


@contextmanager
def poll_probes(urls: Sequence[str]) -> Iterator[ProbeResults]:
    """Ask these, one after another and again, until the block ends."""
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
            except OSError:  # Red is an HTTPError, which is one.
                result.failed += 1
            result.seconds.append(time.monotonic() - started)
