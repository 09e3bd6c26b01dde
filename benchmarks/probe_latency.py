"""How quickly probes answer while something else goes on."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

INTERVAL_S = 0.1
"""How often the probes are asked: more often than a kubelet does, so that a p99 means something."""

ASK_S = 10


@dataclass
class Probing:
    """What the probes answered."""

    seconds: list[float] = field(default_factory=list)
    red: int = 0
    """How often one was red or did not answer."""


@contextmanager
def probing(urls: Sequence[str]) -> Iterator[Probing]:
    """Ask these, one after another and again, until the block ends."""
    result, ended = Probing(), Event()
    asking = Thread(target=_ask, args=(urls, result, ended))
    asking.start()
    try:
        yield result
    finally:
        ended.set()
        asking.join()


def _ask(urls: Sequence[str], result: Probing, ended: Event) -> None:
    while not ended.wait(INTERVAL_S):
        for url in urls:
            started = time.monotonic()
            try:
                with urllib.request.urlopen(url, timeout=ASK_S):  # noqa: S310
                    pass
            except OSError:  # Red is an HTTPError, which is one.
                result.red += 1
            result.seconds.append(time.monotonic() - started)
