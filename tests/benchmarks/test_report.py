"""Page of the generator benchmark: arithmetic, tables and plot."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks.engines import multiplications_per_pixel
from benchmarks.report import bar_chart_svg, share_of_limit, table


def test_multiplications_match_the_design():
    assert 2 * multiplications_per_pixel() * 720 * 960 == pytest.approx(49.6e9, rel=0.01)
    assert 2 * multiplications_per_pixel(10 / 28) * 720 * 960 == pytest.approx(41.2e9, rel=0.01)


def test_half_the_time_is_twice_the_share():
    flops = 2 * multiplications_per_pixel() * 100 * 200
    assert share_of_limit(1.0, "100x200", flops) == pytest.approx(1)
    assert share_of_limit(0.5, "100x200", flops) == pytest.approx(2)


def test_bar_length_is_proportional():
    chart = ET.fromstring(bar_chart_svg([("slow", 2.0), ("quick", 0.5)], "Seconds & more", "s"))
    kind = "{http://www.w3.org/2000/svg}"
    slow, quick = [float(bar.get("width", "")) for bar in chart.iter(f"{kind}rect")][1:]
    assert slow == pytest.approx(4 * quick)
    assert [text.text for text in chart.iter(f"{kind}text")][:3] == [
        "Seconds & more",
        "slow",
        "2.00 s",
    ]


def test_markdown_table():
    assert table(["a", "b"], [[1, 2]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
