"""Gates: conditions such as ``accepted.p95 > 15`` under which a load test fails."""

import operator
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from loadtest.report import Percentiles, Report

SLO = Path(__file__).with_name("slo.toml")

_COUNTS = ("sent", "ok", "rejected", "failed", "invalid", "rejected_without_retry_after")
_SHARES = ("ok", "rejected", "failed", "invalid")
_LATENCIES = {"all": "all", "accepted": "ok", "rejected": "rejected"}
"""Latencies in a gate, by their name in the report."""
_PERCENTILES = ("p50", "p90", "p95", "p99", "max")

METRICS: tuple[str, ...] = (
    *_COUNTS,
    *(f"{name}.share" for name in _SHARES),
    "throughput",
    *(
        f"{name}.{percentile}"
        for name in (*_LATENCIES, "client_lag")
        for percentile in _PERCENTILES
    ),
)
"""Metrics of gates: counts, shares from 0 to 1, ok responses per second, latencies in seconds."""

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

GRAMMAR = (
    "METRIC OPERATOR NUMBER: METRIC is "
    f"{', '.join(_COUNTS)}, throughput; {', '.join(_SHARES)} with .share; or "
    f"{', '.join((*_LATENCIES, 'client_lag'))} with .{', .'.join(_PERCENTILES)}; "
    f"OPERATOR is {' '.join(_OPERATORS)}"
)


@dataclass(frozen=True)
class Gate:
    """A condition under which a load test fails."""

    metric: str
    operator: str
    threshold: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an expression; raise ValueError with the grammar for any other text."""
        operators = "|".join(map(re.escape, _OPERATORS))
        match = re.fullmatch(rf"\s*([\w.]+)\s*({operators})\s*(\d+(?:\.\d+)?)\s*", text, re.ASCII)
        if not match or match[1] not in METRICS:
            raise ValueError(f"{text!r} is not a gate such as 'accepted.p95 > 15': {GRAMMAR}")
        return cls(match[1], match[2], float(match[3]))

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.threshold:g}"

    def value(self, report: "Report") -> float:
        """Return the report's value: for latencies of no request infinity, of no rejection 0."""
        name, _, part = self.metric.partition(".")
        if part == "share":
            return float(getattr(report, name) / report.sent) if report.sent else 0.0
        if not part:
            return float(getattr(report, name))
        spread: Percentiles | None = (
            report.client_lag_s if name == "client_lag" else report.latency_s[_LATENCIES[name]]
        )
        if spread is None:
            return float("inf") if name in {"all", "accepted"} else 0.0
        return float(getattr(spread, part))

    def is_violated(self, report: "Report") -> bool:
        """Whether the load test failed by this condition."""
        return _OPERATORS[self.operator](self.value(report), self.threshold)


def default_gates() -> list[Gate]:
    """Read the gates of a load test without others: the service level objectives of the chart."""
    return [Gate.parse(text) for text in tomllib.loads(SLO.read_text())["fail-if"]]


def violations(gates: Sequence[Gate], report: "Report") -> list[str]:
    """Return one line for each violated gate."""
    return [
        f"failed by {gate}: {gate.metric} is {gate.value(report):.4g}"
        for gate in gates
        if gate.is_violated(report)
    ]
