"""Load test report as one HTML file, without scripts and without other files."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from loadtest import charts
from loadtest.charts import Axes, Point
from loadtest.client import Measurement
from loadtest.gates import Gate
from loadtest.report import OUTCOMES, Percentiles, Report, Sample, list_counts
from loadtest.server_metrics import ServerState

MAX_BARS = 60
"""Maximum number of bars of a chart."""

MIB = 2**20

STYLE = Path(__file__).with_name("report.css")

_SERIES = {
    "ok": "ok",
    "client-error": "failed, 4xx",
    "rejected": "rejected, 429 or 503",
    "failed": "failed, 5xx or no response",
    "invalid": "invalid image",
}
"""Series by CSS class, with their legends; in the order in which bars are stacked."""


def render(
    measurement: Measurement,
    states: Sequence[ServerState],
    gates: Sequence[Gate],
    parameters: Sequence[tuple[str, str]],
    metrics_url: str | None,
) -> str:
    """Return the page; ``states`` are those scraped from ``metrics_url``."""
    report, samples = measurement.report, measurement.samples
    is_violated = any(gate.is_violated(report) for gate in gates)
    verdict = ("violated", "failed") if is_violated else ("passed", "passed")
    server = _server_cards(report, states)
    if metrics_url and not server:
        server = [_card("Server", f"<p>{escape(metrics_url)} could not be scraped.</p>")]
    body = [
        *_sample_cards(report, samples),
        *server,
        _card("Gates", _gates(gates, report)),
        _card("Latency, seconds", _latencies(report)),
        _card("Parameters", _table(["option", "value"], parameters)),
        *_detail_cards(report),
    ]
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Load test of {escape(report.url)}</title>
<style>
{STYLE.read_text()}</style>
<h1><span class="verdict {verdict[0]}">{verdict[1]}</span>Load test of {escape(report.url)}</h1>
<p>{escape(report.load)}. Started {escape(report.started)}.</p>
<div class="tiles">{_tiles(report)}</div>
<div class="cards">
{chr(10).join(body)}
</div>
</html>
"""


def _tiles(report: Report) -> str:
    accepted = report.latency_s["ok"]
    tiles = [
        ("sent", f"{report.sent}"),
        *((outcome, f"{getattr(report, outcome)}") for outcome in OUTCOMES),
        ("ok per s", f"{report.throughput:.2f}"),
        *(
            (f"accepted {name}", _seconds(getattr(accepted, name)) if accepted else "–")
            for name in ("p50", "p95", "max")
        ),
    ]
    return "".join(
        f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for name, value in tiles
    )


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def _sample_cards(report: Report, samples: Sequence[Sample]) -> list[str]:
    if not samples:
        return []
    by_series: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_series[_series(sample)].append(sample)
    present = [series for series in _SERIES if series in by_series]
    legend = _legend(present)
    due = {
        series: [(sample.due_s, sample.latency_s) for sample in by_series[series]]
        for series in present
    }
    waits = Axes(
        x_max=_most([report.duration_s]),
        y_max=_most(y for of in due.values() for _, y in of),
        x_title="due, seconds from the start",
        y_title="wait, seconds",
    )
    return [
        _rates(report, by_series, present, legend),
        _card(
            "Wait of each request",
            "<p>From when a request was due to the end of its response. A stall shows as a slope:"
            " requests that were due during it waited for its end.</p>"
            + legend
            + waits.chart("Wait of each request by its due time", charts.dots(waits, due)),
        ),
        _distribution(report, samples),
    ]


def _series(sample: Sample) -> str:
    is_client_error = sample.outcome == "failed" and sample.reason.startswith("status 4")
    return "client-error" if is_client_error else sample.outcome


def _rates(
    report: Report, by_series: dict[str, list[Sample]], present: Sequence[str], legend: str
) -> str:
    width = charts.nice_step(max(report.duration_s, 1e-3), MAX_BARS)
    number = int(report.duration_s / width) + 1
    stacks = {series: [0.0] * number for series in present}
    for series in present:
        for sample in by_series[series]:
            stacks[series][int(sample.ended_s / width)] += 1 / width
    axes = Axes(
        x_max=number * width,
        y_max=_most(map(sum, zip(*stacks.values(), strict=True))),
        x_title="seconds from the start",
        y_title="responses per second",
    )
    return _card(
        "Responses per second",
        f"<p>By outcome, in intervals of {width:g} s.</p>"
        + legend
        + axes.chart("Responses per second by outcome", charts.bars(axes, width, stacks)),
    )


def _distribution(report: Report, samples: Sequence[Sample]) -> str:
    accepted = report.latency_s["ok"]
    if accepted is None:
        return _card("Latency of accepted requests", "<p>No request was accepted.</p>")
    latencies = [sample.latency_s for sample in samples if sample.outcome == "ok"]
    width = charts.nice_step(max(accepted.max, 1e-3), MAX_BARS)
    counts = [0.0] * (int(accepted.max / width) + 1)
    for latency_s in latencies:
        counts[int(latency_s / width)] += 1
    axes = Axes(
        x_max=len(counts) * width,
        y_max=_most(counts),
        x_title="wait, seconds",
        y_title="requests",
    )
    markers = [
        charts.marker(
            axes, getattr(accepted, name), f"{name} {_seconds(getattr(accepted, name))}", row
        )
        for row, name in enumerate(("p50", "p95", "p99"))
    ]
    return _card(
        "Latency of accepted requests",
        f"<p>{accepted.count} responses with a valid image, in intervals of {width:g} s.</p>"
        + axes.chart(
            "Distribution of the latency of accepted requests",
            [*charts.bars(axes, width, {"ok": counts}), *markers],
        ),
    )


def _server_cards(report: Report, states: Sequence[ServerState]) -> list[str]:
    if len(states) < 2:
        return []
    cards: list[tuple[str, str, list[Point]]] = [
        ("Memory of the server", "MiB resident", [(s.at_s, s.rss_bytes / MIB) for s in states]),
        ("Queue of the server", "images waiting", [(s.at_s, s.queued) for s in states]),
    ]
    result = []
    for title, y_title, points in cards:
        axes = Axes(
            x_max=_most([report.duration_s, *(x for x, _ in points)]),
            y_max=_most(y for _, y in points),
            x_title="seconds from the start",
            y_title=y_title,
        )
        result.append(_card(title, axes.chart(title, [charts.line(axes, "server", points)])))
    return result


def _gates(gates: Sequence[Gate], report: Report) -> str:
    rows = [
        (str(gate), f"{gate.value(report):.4g}", "failed" if gate.is_violated(report) else "passed")
        for gate in gates
    ]
    return _table(["fails if", "value", "result"], rows)


def _latencies(report: Report) -> str:
    spreads: list[tuple[str, Percentiles | None]] = [
        *report.latency_s.items(),
        ("client lag", report.client_lag_s),
    ]
    rows = [
        (
            name,
            spread.count,
            *(f"{getattr(spread, p):.3f}" for p in ("p50", "p90", "p95", "p99", "max")),
        )
        for name, spread in spreads
        if spread
    ]
    return _table(["", "count", "p50", "p90", "p95", "p99", "max"], rows, "numbers")


def _detail_cards(report: Report) -> list[str]:
    details = [
        (outcome, list_counts(reasons))
        for outcome, reasons in (
            ("failed", report.failed_by_reason),
            ("invalid", report.invalid_by_reason),
        )
        if reasons
    ]
    if report.rejected_without_retry_after:
        details.append(("rejected without Retry-After", str(report.rejected_without_retry_after)))
    details += [("example", example) for example in report.examples]
    hostile = [(kind, list_counts(counts)) for kind, counts in report.hostile.items()]
    return [
        *([_card("Errors", _table(["kind", "counts"], details))] if details else []),
        *([_card("Hostile clients", _table(["kind", "outcomes"], hostile))] if hostile else []),
    ]


def _legend(present: Iterable[str]) -> str:
    items = (f'<span><i class="{series}"></i>{_SERIES[series]}</span>' for series in present)
    return f'<div class="legend">{"".join(items)}</div>'


def _card(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], style: str = "") -> str:
    def row(tag: str, cells: Sequence[object]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    lines = [row("th", head), *(row("td", cells) for cells in rows)]
    return f'<div class="scroll"><table class="{style}">{"".join(lines)}</table></div>'


def _most(values: Iterable[float]) -> float:
    """Return the end of an axis for these values, which is never 0."""
    return 1.05 * max([1e-3, *values])
