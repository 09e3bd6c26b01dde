"""Gates: each metric fails and passes, and other expressions are rejected."""

import tomllib

import pytest

from loadtest.gates import METRICS, SLO, Gate, violations
from loadtest.report import Sample, build_report
from tests.support.chart import DEFAULTS
from tests.support.slo_gates import slo_gates

SAMPLES = [
    *(Sample(0.0, float(seconds), "ok") for seconds in (1, 2, 3)),
    Sample(0.0, 0.5, "rejected", lacks_retry_after=True),
    Sample(0.0, 0.25, "rejected"),
    Sample(0.0, 8.0, "failed", "timeout"),
    Sample(0.0, 7.0, "invalid", "size"),
    Sample(0.0, 6.0, "invalid", "size"),
]

VALUES = {
    "sent": 8,
    "ok": 3,
    "rejected": 2,
    "failed": 1,
    "invalid": 2,
    "rejected_without_retry_after": 1,
    "ok.share": 0.375,
    "rejected.share": 0.25,
    "failed.share": 0.125,
    "invalid.share": 0.25,
    "throughput": 1,
    "all.p50": 2.5,
    "all.p90": 7.3,
    "all.p95": 7.65,
    "all.p99": 7.93,
    "all.max": 8,
    "accepted.p50": 2,
    "accepted.p90": 2.8,
    "accepted.p95": 2.9,
    "accepted.p99": 2.98,
    "accepted.max": 3,
    "rejected.p50": 0.375,
    "rejected.p90": 0.475,
    "rejected.p95": 0.4875,
    "rejected.p99": 0.4975,
    "rejected.max": 0.5,
    "client_lag.p50": 0.01,
    "client_lag.p90": 0.01,
    "client_lag.p95": 0.01,
    "client_lag.p99": 0.01,
    "client_lag.max": 0.01,
}


def report(samples):
    lags_s = [0.01] if samples else []
    return build_report(samples, lags_s, url="http://h/", load="a load", started="now")


def holds(text, samples=SAMPLES):
    return Gate.parse(text).is_violated(report(samples))


def test_default_gates_are_the_objectives_of_the_chart():
    assert SLO.read_text() == slo_gates(DEFAULTS), "run python -m tests.support.slo_gates"
    stricter = {
        "availability": {"objective": 99.95},
        "latency": {"objective": 99, "bound": 4},
        "acceptance": {"objective": 95},
    }
    text = slo_gates(DEFAULTS | {"slo": stricter})
    assert [str(Gate.parse(gate)) for gate in tomllib.loads(text)["fail-if"]] == [
        *("failed.share > 0.0005", "invalid > 0", "accepted.p99 > 4", "rejected.share > 0.05"),
    ]


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_fails_and_passes(metric):
    value = VALUES[metric]
    assert holds(f"{metric} > {0.9 * value:.6f}")
    assert not holds(f"{metric} > {1.1 * value:.6f}")


def test_each_operator_at_and_beside_its_bound():
    expected = {">": "001", ">=": "011", "<": "100", "<=": "110", "==": "010", "!=": "101"}
    for operator, of in expected.items():
        assert [holds(f"ok {operator} {bound}") for bound in (4, 3, 2)] == [it == "1" for it in of]


def test_violations_are_one_line_each():
    gates = [Gate.parse(text) for text in ("accepted.p95>2.5", "failed > 1", "invalid.share > 0.1")]
    assert violations(gates, report(SAMPLES)) == [
        "failed by accepted.p95 > 2.5: accepted.p95 is 2.9",
        "failed by invalid.share > 0.1: invalid.share is 0.25",
    ]


def test_no_accepted_request_violates_its_latency_and_no_rejection_does_not():
    failed = [Sample(0.0, 1.0, "failed", "timeout")]
    assert holds("accepted.p95 > 15", failed)
    assert not holds("rejected.p95 > 0", failed)
    assert holds("all.max > 15", [])
    assert not holds("failed.share > 0", [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "accepted.p95",
        "accepted.p95 > ",
        "accepted.p95 > 15 s",
        "accepted.p95 > -1",
        "accepted.p95 > 1e9",
        "accepted.p96 > 15",
        "sent.share > 1",
        "accepted > 1",
        "failed = 0",
        "failed > 0 or invalid > 0",
    ],
)
def test_other_expressions_are_rejected_with_the_grammar(text):
    with pytest.raises(
        ValueError, match=r"is not a gate such as .*: METRIC OPERATOR NUMBER"
    ) as raised:
        Gate.parse(text)
    assert "rejected_without_retry_after" in str(raised.value)
