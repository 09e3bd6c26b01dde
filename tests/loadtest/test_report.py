"""Load test report: counts, percentiles, JSON and text."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.client import Percentiles, Report
from loadtest.report import MAX_EXAMPLES, Sample, build_report

SAMPLES = [
    Sample(0.0, 0.5, "ok"),
    Sample(1.0, 2.0, "ok"),
    Sample(1.0, 1.1, "rejected", lacks_retry_after=True),
    Sample(1.0, 1.2, "rejected"),
    Sample(2.0, 7.0, "failed", "timeout", "The response was not complete in time."),
    Sample(2.0, 2.5, "invalid", "size", "The response has 1x1 pixels, the image 2x2."),
]


def report(samples: list[Sample] = SAMPLES) -> Report:
    return build_report(samples, [0.001, 0.003], url="http://h/", load="a load", started="now")


def test_counts_latencies_and_throughput():
    result = report()
    assert (result.sent, result.ok, result.rejected, result.failed, result.invalid) == (
        6,
        2,
        2,
        1,
        1,
    )
    assert result.rejected_without_retry_after == 1
    assert result.failed_by_reason == {"timeout": 1}
    assert result.invalid_by_reason == {"size": 1}
    assert (result.duration_s, result.span_s, result.throughput) == (7.0, 2.0, 1.0)
    assert {name: spread and spread.max for name, spread in result.latency_s.items()} == (
        pytest.approx({"all": 5.0, "ok": 1.0, "rejected": 0.2, "failed": 5.0, "invalid": 0.5})
    )
    assert result.client_lag_s is not None
    assert result.client_lag_s.p50 == pytest.approx(0.002)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_match_numpy(seconds):
    spread = Percentiles.of(seconds)
    assert spread is not None
    assert spread.count == len(seconds)
    assert spread.p50 == pytest.approx(np.median(seconds))
    for percentile in (90, 95, 99):
        expected = np.quantile(seconds, percentile / 100)
        assert getattr(spread, f"p{percentile}") == pytest.approx(expected)
    assert spread.max == max(seconds)


def test_json_round_trip():
    for result in report(), report([]):
        assert Report.from_json(result.to_json()) == result


def test_json_has_the_documented_members():
    members = json.loads(report().to_json())
    assert members["schema"] == 1
    assert members["latency_s"]["ok"].keys() == {"count", "p50", "p90", "p95", "p99", "max"}
    assert members.keys() == {
        *("schema", "url", "load", "started", "sent", "ok", "rejected"),
        *(
            "rejected_without_retry_after",
            "failed",
            "failed_by_reason",
            "invalid",
            "invalid_by_reason",
        ),
        *("examples", "duration_s", "span_s", "throughput", "latency_s", "client_lag_s", "hostile"),
    }


def test_other_schema_is_an_error():
    with pytest.raises(ValueError, match="schema is 2, not 1"):
        Report.from_json(report().to_json().replace('"schema": 1', '"schema": 2'))


def test_inconsistent_counts_are_an_error():
    with pytest.raises(AssertionError):
        replace(report(), sent=7)


def test_examples_are_distinct_and_limited():
    samples = [Sample(0, i, "invalid", "pixels", f"Error {i // 2}.") for i in range(100)]
    examples = report(samples).examples
    assert examples == [f"pixels: Error {i}." for i in range(MAX_EXAMPLES)]


def test_text_report():
    assert report().table() == (
        "http://h/: a load\n"
        "\n"
        "sent 6: 2 ok, 2 rejected, 1 failed, 1 invalid\n"
        "1.0 ok responses per second over 2.0 s\n"
        "the whole run took 7.0 s\n"
        "\n"
        "latency, s      count      p50      p90      p95      p99      max\n"
        "all                 6    0.500    3.000    4.000    4.800    5.000\n"
        "ok                  2    0.750    0.950    0.975    0.995    1.000\n"
        "rejected            2    0.150    0.190    0.195    0.199    0.200\n"
        "failed              1    5.000    5.000    5.000    5.000    5.000\n"
        "invalid             1    0.500    0.500    0.500    0.500    0.500\n"
        "client lag          2    0.002    0.003    0.003    0.003    0.003\n"
        "\n"
        "rejected without Retry-After: 1\n"
        "\n"
        "failed: timeout 1\n"
        "\n"
        "invalid: size 1\n"
        "- size: The response has 1x1 pixels, the image 2x2.\n"
        "- timeout: The response was not complete in time.\n"
    )
