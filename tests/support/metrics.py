"""Prometheus metrics, as a replica exposes them."""

import urllib.request
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

SCRAPE_TIMEOUT_S = 90


def samples(text: str) -> Iterator[Sample]:
    """All samples of a text in Prometheus's format."""
    for family in text_string_to_metric_families(text):
        yield from family.samples


def scrape(management: str) -> list[Sample]:
    """All samples that the replica at this URL of a management port exposes now."""
    url = f"{management}/metrics"
    with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as response:
        return list(samples(response.read().decode()))


def metric(management: str, name: str, **labels: str) -> float:
    """The value of the first sample with this name and these labels, or 0 where there is none."""
    for sample in scrape(management):
        if sample.name == name and labels.items() <= sample.labels.items():
            return sample.value
    return 0.0
