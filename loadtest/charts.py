"""Charts as inline SVG; colours are the CSS classes of their series."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 40
"""Margins of the plot, which labels and axis titles take."""

DOT = 3
"""Distance in pixels below which dots of one series are one."""

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Ranges from 0 and titles of both axes."""

    x_max: float
    y_max: float
    x_title: str
    y_title: str

    def x(self, value: float) -> float:
        """Return the position of a value in pixels from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.x_max

    def y(self, value: float) -> float:
        """Return the position of a value in pixels from the top."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.y_max

    def chart(self, label: str, marks: Iterable[str]) -> str:
        """Return the SVG with grid, labels and marks; the label describes it to screen readers."""
        centre, middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
        under = f'x="{centre}" y="{HEIGHT - 6}" text-anchor="middle"'
        beside = f'transform="translate(12 {middle}) rotate(-90)" text-anchor="middle"'
        lines = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
        for value, text in _ticks(self.y_max, 5):
            y = f"{self.y(value):.1f}"
            lines += [
                f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>',
                f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{text}</text>',
            ]
        for value, text in _ticks(self.x_max, 6):
            x = f"{self.x(value):.1f}"
            lines.append(
                f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>'
            )
        lines += [
            *marks,
            f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>',
            f"<text {under}>{escape(self.x_title)}</text>",
            f"<text {beside}>{escape(self.y_title)}</text>",
            "</svg>",
        ]
        return "\n".join(lines)


def bars(axes: Axes, width: float, stacks: Mapping[str, Sequence[float]]) -> list[str]:
    """Return stacked bars of this width from x = 0, one series on top of the other."""
    marks = []
    below = [0.0] * max(map(len, stacks.values()))
    for series, values in stacks.items():
        path = []
        for number, value in enumerate(values):
            if value:
                left, right = axes.x(number * width), axes.x((number + 1) * width)
                low, high = axes.y(below[number]), axes.y(below[number] + value)
                # A hair's gap, which bars of less than 3 px do not have.
                gap = 1 if right - left > 3 else 0
                path.append(f"M{left:.1f} {low:.1f}V{high:.1f}H{right - gap:.1f}V{low:.1f}z")
                below[number] += value
        marks.append(f'<path class="fill {series}" d="{"".join(path)}"/>')
    return marks


def dots(axes: Axes, points: Mapping[str, Iterable[Point]]) -> list[str]:
    """Return dots; those of a series that would cover each other become one."""
    marks = []
    for series, of in points.items():
        cells = {(round(axes.x(x) / DOT), round(axes.y(y) / DOT)) for x, y in of}
        path = "".join(f"M{x * DOT} {y * DOT}h0" for x, y in sorted(cells))
        marks.append(f'<path class="dots {series}" d="{path}"/>')
    return marks


def line(axes: Axes, series: str, points: Sequence[Point]) -> str:
    """Return a line through these points, at most one per pixel."""
    kept = {round(axes.x(x)): (axes.x(x), axes.y(y)) for x, y in points}
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in kept.values())
    return f'<path class="line {series}" d="M{path}"/>'


def marker(axes: Axes, x: float, text: str, row: int) -> str:
    """Return a vertical line with its text, in one of several rows."""
    left, is_right = axes.x(x), axes.x(x) > WIDTH * 0.7
    anchor, shift = ("end", -4) if is_right else ("start", 4)
    return (
        f'<path class="marker" d="M{left:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        f'<text x="{left + shift:.1f}" y="{TOP + 12 + 15 * row}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def nice_step(span: float, parts: int) -> float:
    """Return the smallest of 1, 2, 5, 10 … that divides a span into at most these parts."""
    least = span / parts
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def _ticks(most: float, parts: int) -> list[tuple[float, str]]:
    step = nice_step(most, parts)
    return [
        (number * step, f"{number * step:.6g}") for number in range(int(most / step + 1e-9) + 1)
    ]
