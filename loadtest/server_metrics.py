"""Memory and queue of the server during a load, scraped from its metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from threading import Event, Thread
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

INTERVAL_S = 1.0
"""Interval of scrapes, in seconds."""

TIMEOUT_S = 5.0
"""Timeout of a scrape, in seconds."""

RSS, QUEUE = "process_resident_memory_bytes", "dctnet_queue_depth"


@dataclass(frozen=True, slots=True)
class ServerState:
    """State of a replica at one scrape."""

    at_s: float
    """Time from the start of scraping, in seconds."""
    rss_bytes: float
    """Resident memory of the worker, in bytes."""
    queued: float
    """Images waiting for a slot."""


@contextmanager
def scraping(url: str | None) -> Iterator[list[ServerState]]:
    """Scrape until the end of the block; failed scrapes leave gaps, and no URL leaves it empty."""
    states: list[ServerState] = []
    ended = Event()
    thread = Thread(target=_scrape, args=(url, states, ended), daemon=True)
    if url:
        thread.start()
    try:
        yield states
    finally:
        ended.set()
        if url:
            thread.join()


def _scrape(url: str, states: list[ServerState], ended: Event) -> None:
    started_s = time.monotonic()
    opener = build_opener(ProxyHandler({}))
    while True:
        at_s = time.monotonic() - started_s
        try:
            with opener.open(url, timeout=TIMEOUT_S) as response:
                states.append(_parse(at_s, response.read().decode()))
        except (OSError, HTTPException, ValueError, KeyError):  # It restarts, or is another page.
            pass
        if ended.wait(INTERVAL_S):
            return


def _parse(at_s: float, text: str) -> ServerState:
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in {RSS, QUEUE}
    }
    return ServerState(at_s, values[RSS], values[QUEUE])
