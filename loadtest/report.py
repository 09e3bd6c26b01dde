"""Load test report: counts, latency percentiles and throughput, as JSON and text.

``docs/load-testing.md`` documents the JSON.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np

SCHEMA = 1
"""Version of the JSON: raised when a member is removed or changes its meaning, not for new ones."""

MAX_EXAMPLES = 5
"""Maximum number of error messages in a report."""

Outcome = Literal["ok", "rejected", "failed", "invalid"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(slots=True)
class Sample:
    """One request; times are seconds from the start of the run."""

    due_s: float
    """Scheduled time, from which latency counts; the request may be sent later."""
    ended_s: float
    """Time of the last byte of the response, or of the failure."""
    outcome: Outcome
    reason: str = ""
    """Reason of a failed request or invalid response."""
    detail: str = ""
    """Error message for the reason."""
    lacks_retry_after: bool = False
    """Whether it is a rejection without a valid ``Retry-After``."""

    @property
    def latency_s(self) -> float:
        """Latency from the due time."""
        return self.ended_s - self.due_s


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Percentiles of durations, in seconds."""

    count: int
    p50: float
    p90: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self | None:
        """Compute linearly interpolated percentiles; None without durations."""
        if not seconds:
            return None
        p50, p90, p95, p99, most = np.percentile(seconds, [50, 90, 95, 99, 100]).tolist()
        return cls(count=len(seconds), p50=p50, p90=p90, p95=p95, p99=p99, max=most)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of a load test, with ``sent == ok + rejected + failed + invalid``."""

    url: str
    load: str
    """Description of the plan."""
    started: str
    """Start time in UTC, as ISO 8601."""
    sent: int
    ok: int
    """Responses with status 200 that passed validation."""
    rejected: int
    """Responses with status 429 or 503."""
    rejected_without_retry_after: int
    """Rejections without a valid ``Retry-After``."""
    failed: int
    failed_by_reason: dict[str, int]
    """``connect``, ``timeout``, ``reset``, ``protocol``, or ``status 500`` and the like."""
    invalid: int
    invalid_by_reason: dict[str, int]
    """``content type``, ``undecodable``, ``size``, ``pixels`` or ``truncated``."""
    examples: list[str]
    """Messages of the first failures and invalid responses."""
    duration_s: float
    """Time from the start to the end of the last request."""
    span_s: float
    """Time from the start to the last ok response; 0 without any."""
    throughput: float
    """Ok responses per second of the span."""
    latency_s: dict[str, Percentiles | None]
    """Latency by outcome and for ``all``; None without requests."""
    client_lag_s: Percentiles | None
    """Scheduling lag of the client itself."""
    hostile: dict[str, dict[str, int]] = field(default_factory=dict)
    """Outcomes of hostile clients, by kind."""
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        assert self.sent == self.ok + self.rejected + self.failed + self.invalid
        assert self.failed == sum(self.failed_by_reason.values())
        assert self.invalid == sum(self.invalid_by_reason.values())

    @property
    def is_clean(self) -> bool:
        """Whether every request was ok or rejected."""
        return self.sent == self.ok + self.rejected

    def to_json(self) -> str:
        """Serialize to the documented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the JSON of `to_json`; raise ValueError for another schema."""
        members: dict[str, Any] = json.loads(text)
        if members.get("schema") != SCHEMA:
            raise ValueError(f"The report's schema is {members.get('schema')}, not {SCHEMA}.")
        for name, spread in members["latency_s"].items():
            members["latency_s"][name] = _percentiles(spread)
        members["client_lag_s"] = _percentiles(members["client_lag_s"])
        return cls(**members)

    def table(self) -> str:
        """Format as text."""
        lines = [
            f"{self.url}: {self.load}",
            "",
            f"sent {self.sent}: " + ", ".join(f"{getattr(self, name)} {name}" for name in OUTCOMES),
            f"{self.throughput:.1f} ok responses per second over {self.span_s:.1f} s",
            f"the whole run took {self.duration_s:.1f} s",
            "",
            _row("latency, s", "count", "p50", "p90", "p95", "p99", "max"),
        ]
        lines += [_spread_row(name, spread) for name, spread in self.latency_s.items() if spread]
        if self.client_lag_s:
            lines.append(_spread_row("client lag", self.client_lag_s))
        if self.rejected_without_retry_after:
            lines += ["", f"rejected without Retry-After: {self.rejected_without_retry_after}"]
        for outcome, reasons in (
            ("failed", self.failed_by_reason),
            ("invalid", self.invalid_by_reason),
        ):
            if reasons:
                lines += ["", f"{outcome}: {list_counts(reasons)}"]
        lines += [f"- {example}" for example in self.examples]
        if self.hostile:
            lines.append("")
        lines += [f"hostile {kind}: {list_counts(of)}" for kind, of in self.hostile.items()]
        return "\n".join(lines) + "\n"


def build_report(
    samples: Sequence[Sample],
    lags_s: Sequence[float],
    *,
    url: str,
    load: str,
    started: str,
    hostile: dict[str, dict[str, int]] | None = None,
) -> Report:
    """Build the report from samples and lags."""
    by_outcome = {
        outcome: [sample for sample in samples if sample.outcome == outcome] for outcome in OUTCOMES
    }
    ok, rejected, failed, invalid = (by_outcome[outcome] for outcome in OUTCOMES)
    span_s = max((sample.ended_s for sample in ok), default=0.0)
    return Report(
        url=url,
        load=load,
        started=started,
        sent=len(samples),
        ok=len(ok),
        rejected=len(rejected),
        rejected_without_retry_after=sum(sample.lacks_retry_after for sample in rejected),
        failed=len(failed),
        failed_by_reason=_by_reason(failed),
        invalid=len(invalid),
        invalid_by_reason=_by_reason(invalid),
        examples=_examples([*invalid, *failed]),
        duration_s=max((sample.ended_s for sample in samples), default=0.0),
        span_s=span_s,
        throughput=len(ok) / span_s if span_s else 0.0,
        latency_s={
            "all": _latency(samples),
            **{outcome: _latency(by_outcome[outcome]) for outcome in OUTCOMES},
        },
        client_lag_s=Percentiles.of(lags_s),
        hostile=hostile or {},
    )


def _latency(samples: Sequence[Sample]) -> Percentiles | None:
    return Percentiles.of([sample.latency_s for sample in samples])


def _by_reason(samples: Iterable[Sample]) -> dict[str, int]:
    return dict(Counter(sample.reason for sample in samples).most_common())


def _examples(samples: Iterable[Sample]) -> list[str]:
    """Return distinct messages, in order of first occurrence."""
    ordered = sorted(samples, key=lambda sample: sample.ended_s)
    distinct = dict.fromkeys(f"{s.reason}: {s.detail}" for s in ordered if s.detail)
    return list(distinct)[:MAX_EXAMPLES]


def list_counts(counts: dict[str, int]) -> str:
    """Format counts in one line."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _percentiles(members: dict[str, Any] | None) -> Percentiles | None:
    return None if members is None else Percentiles(**members)


def _spread_row(name: str, spread: Percentiles) -> str:
    seconds = (spread.p50, spread.p90, spread.p95, spread.p99, spread.max)
    return _row(name, str(spread.count), *(f"{value:.3f}" for value in seconds))


def _row(name: str, *cells: str) -> str:
    return f"{name:12}" + "".join(f"{cell:>9}" for cell in cells)
