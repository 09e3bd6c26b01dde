"""HTML report: one valid file without scripts, whatever happened."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from loadtest import charts
from loadtest.charts import Axes
from loadtest.client import Measurement
from loadtest.gates import Gate
from loadtest.html_report import STYLE, render
from loadtest.report import Sample, build_report
from loadtest.server_metrics import ServerState

SAMPLES = [
    *(Sample(0.1 * number, 0.1 * number + 0.5, "ok") for number in range(50)),
    Sample(1.0, 1.1, "rejected"),
    Sample(2.0, 2.1, "failed", "status 413"),
    Sample(3.0, 3.1, "failed", "status 500", "<script>alert(1)</script>"),
    Sample(4.0, 4.1, "invalid", "size"),
]
STATES = [ServerState(float(at), 2**29, at) for at in range(6)]


def page(samples=SAMPLES, states=(), gates=(), url=None) -> str:
    report = build_report(
        samples,
        [0.001],
        url="http://h/?a&b",
        load="a load",
        started="now",
        hostile={"idle": {"open": 3}},
    )
    measured = Measurement(report=report, samples=samples)
    return render(measured, states, gates, [("rate", "<2>")], url)


def svgs(text: str) -> dict[str, ET.Element]:
    """Return the charts of a page by their labels; raise if one is not well-formed."""
    parsed = map(ET.fromstring, re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    return {svg.attrib["aria-label"]: svg for svg in parsed}


def test_page_is_self_contained_and_escapes_what_it_shows():
    text = page(states=STATES)
    tags = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.add(tag)  # type: ignore[method-assign]
    parser.feed(text)
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert "&lt;script&gt;alert(1)" in text
    assert "http://h/?a&amp;b" in text
    assert "&lt;2&gt;" in text
    assert "default-src 'none'" in text
    assert "url(" not in text


def test_charts_have_titles_with_units():
    labels = {label: "".join(svg.itertext()) for label, svg in svgs(page(states=STATES)).items()}
    titles = {
        "Responses per second by outcome": "responses per second",
        "Wait of each request by its due time": "wait, seconds",
        "Distribution of the latency of accepted requests": "requests",
        "Memory of the server": "MiB resident",
        "Queue of the server": "images waiting",
    }
    assert labels.keys() == titles.keys()
    for label, title in titles.items():
        assert title in labels[label]
        assert "seconds" in labels[label]


def test_series_have_colours_by_meaning():
    chart = svgs(page())["Responses per second by outcome"]
    drawn = [path.attrib["class"] for path in chart.iter("path") if "fill" in path.attrib["class"]]
    assert drawn == [
        f"fill {series}" for series in ("ok", "client-error", "rejected", "failed", "invalid")
    ]
    style = STYLE.read_text()
    for series in ("ok", "client-error", "rejected", "failed", "invalid", "server"):
        assert f".{series} {{ --c: var(--{series}); }}" in style
        assert len(re.findall(rf"--{series}: #", style)) == 2  # Light and dark.


def test_gates_decide_the_verdict():
    passed, violated = Gate.parse("sent < 1"), Gate.parse("failed > 0")
    assert '<span class="verdict passed">' in page(gates=[passed])
    text = page(gates=[passed, violated])
    assert '<span class="verdict violated">' in text
    assert "<td>failed &gt; 0</td><td>2</td><td>failed</td>" in text


@pytest.mark.parametrize(
    "samples", [[], SAMPLES[:1], SAMPLES[-1:], [Sample(0.0, 0.0, "failed", "connect")]]
)
def test_page_of_few_or_no_requests(samples):
    text = page(samples)
    assert len(svgs(text)) == (0 if not samples else 3 if samples[0].outcome == "ok" else 2)


def test_unreachable_metrics_are_named():
    assert "http://h/metrics could not be scraped" in page(url="http://h/metrics")


def test_page_of_many_requests_is_small():
    samples = [
        Sample(0.01 * number, 0.01 * number + (number % 997) / 100, "ok")
        for number in range(100_000)
    ]
    states = [ServerState(at, 2**29 + at, at % 7) for at in range(10_000)]
    assert len(page(samples, states)) < 500_000


def test_stall_shows_as_a_slope():
    """Requests due during a stall end at its end: the earlier due, the longer the wait."""
    axes = Axes(x_max=10, y_max=10, x_title="", y_title="")
    stalled = [(due, 8.0 - due) for due in (0.0, 2.0, 4.0, 6.0)]
    (mark,) = charts.dots(axes, {"ok": stalled})
    dots = [tuple(map(float, dot)) for dot in re.findall(r"M(\d+) (\d+)h0", mark)]
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert [y for _, y in dots] == sorted(y for _, y in dots)
    assert len(set(dots)) == 4


@pytest.mark.parametrize(
    ("span", "parts", "step"), [(10, 5, 2), (9, 5, 2), (60, 60, 1), (61, 60, 2), (0.3, 3, 0.1)]
)
def test_axis_steps_are_round(span, parts, step):
    assert charts.nice_step(span, parts) == pytest.approx(step)
