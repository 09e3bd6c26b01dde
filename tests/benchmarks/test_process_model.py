"""Process model benchmark: setups, ratios and the page."""

import urllib.request
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import process_model
from benchmarks.process_model import (
    ReferenceEngine,
    RoundResults,
    Running,
    Setup,
    format_tables,
    measure_setup,
    run_baseline,
    write,
)
from loadtest.client import compare_with, generate_images
from tests.support.polling import BOUND_S
from tests.support.process import children

TINY_SIDE = 64


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_model, "WARM_UP", 4)


def round_results(**own: float) -> RoundResults:
    names = ["rate", "used", "p50", "p95", "health", "memory", "ok", "rejected", "failed"]
    return dict.fromkeys(names, 1.0) | own


def test_baseline_app_returns_the_engine_s_cartoons():
    """A setup whose responses are all invalid fails, since it has no latency."""
    (image,) = generate_images(1, TINY_SIDE, TINY_SIDE, format="png")
    matching = compare_with(
        {image.name: ReferenceEngine("comic").cartoonize(image.pixels())}, tolerance=1
    )
    differing = compare_with({image.name: np.zeros((TINY_SIDE, TINY_SIDE, 3), np.uint8)})
    with run_baseline(2, 2, DCTNET_STYLES="comic", DCTNET_SLOTS=2, DCTNET_THREADS=1) as running:
        (master,) = running.pids
        assert len(children(master)) == 2
        with urllib.request.urlopen(f"{running.urls[0]}/health", timeout=BOUND_S) as response:
            assert b"healthy" in response.read()
        results = measure_setup(running, image, matching, 16)
        with pytest.raises(AssertionError, match="invalid"):
            measure_setup(running, image, differing, 1)
    assert (results["ok"], results["rejected"], results["failed"]) == (16, 0, 0)
    assert results["memory"] > 50
    assert 0 < results["used"] < 60
    assert not Path(f"/proc/{master}").exists()


def test_baseline_app_start_failure_is_reported():
    with (
        pytest.raises(SystemExit, match="could not be started"),
        run_baseline(1, 1, DCTNET_STYLES="no-such-model"),
    ):
        pytest.fail("there is no such model")


def test_ratios_within_rounds_and_summed_outcomes():
    results = {
        "one": [
            round_results(rate=1, ok=5),
            round_results(rate=4, ok=5),
            round_results(rate=2, ok=5),
        ],
        "four": [
            round_results(rate=2, p95=3, rejected=0),
            round_results(rate=4, p95=1, rejected=2),
            round_results(rate=6, p95=2, rejected=1),
        ],
    }
    lines = format_tables(results).splitlines()
    same = "1.00 (1.00 to 1.00)"
    assert lines[2] == f"| one | 2.00 | {same} | 1.00 | {same} | 1 | {same} |"
    assert lines[3] == f"| four | 4.00 | 2.00 (1.00 to 3.00) | 1.00 | {same} | 1 | {same} |"
    assert lines[7] == "| one | 15 | 3 | 3 | 1.0 | 1.0 (1.0 to 1.0) | 1.0 |"
    assert lines[8] == "| four | 3 | 3 | 3 | 1.0 | 2.0 (1.0 to 3.0) | 1.0 |"


def test_round_order_alternates(monkeypatch):
    order: list[str] = []

    def start(name: str) -> AbstractContextManager[Running]:
        order.append(name)
        return nullcontext(Running([], []))

    monkeypatch.setattr(process_model, "measure_setup", lambda *_: round_results())
    compared = [Setup(name, partial(start, name)) for name in ("one", "four")]
    counts = [
        [(name, len(rounds)) for name, rounds in results.items()]
        for results in process_model.measure(compared, 3, "comic", 1)
    ]
    assert order == ["one", "four", "four", "one", "one", "four"]
    assert counts == [[("one", number), ("four", number)] for number in (1, 2, 3)]


def test_results_replace_only_the_section_in_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- figures -->\nold\n<!-- end of figures -->\nAfter.\n")
    for text in ("new \\1", "newer"):
        write(page, text)
        assert page.read_text() == (
            f"Before.\n<!-- figures -->\n{text}\n<!-- end of figures -->\nAfter.\n"
        )
    page.write_text("Nothing.\n")
    with pytest.raises(SystemExit, match="no place for results"):
        write(page, "new")
