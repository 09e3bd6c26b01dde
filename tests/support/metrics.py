"""Prometheus metrics of a replica."""

import urllib.request
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

SCRAPE_TIMEOUT_S = 90


def samples(text: str) -> Iterator[Sample]:
    """Parse samples from the Prometheus text format."""
    for family in text_string_to_metric_families(text):
        yield from family.samples


def scrape(management: str) -> list[Sample]:
    """Scrape all samples from a management URL."""
    url = f"{management}/metrics"
    with urllib.request.urlopen(url, timeout=SCRAPE_TIMEOUT_S) as response:
        return list(samples(response.read().decode()))


def metric(management: str, name: str, **labels: str) -> float:
    """Value of the first sample with this name and labels; 0 without one."""
    for sample in scrape(management):
        if sample.name == name and labels.items() <= sample.labels.items():
            return sample.value
    return 0.0
