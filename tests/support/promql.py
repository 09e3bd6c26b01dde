"""What a PromQL expression selects and keeps, for comparing it with what a replica exposes."""

import re
from dataclasses import dataclass

METRIC_NAME = re.compile(r"\b(?:dctnet|process)_\w+|\bup\b")
"""A metric that is scraped; the names of recorded ones have colons, which no label has either."""

_RECORDED = re.compile(r"\b\w+:\w+:\w+\b")
_SELECTOR = re.compile(r"([\w:]+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right) \(([^)]*)\)")


@dataclass(frozen=True)
class Matcher:
    """``metric{label OPERATOR "value"}``."""

    metric: str
    label: str
    operator: str
    value: str

    def selects(self, value: str) -> bool:
        """Whether a series with this value of the label is selected."""
        if self.operator in {"=", "!="}:
            return (value == self.value) == (self.operator == "=")
        return (re.fullmatch(self.value, value) is not None) == (self.operator == "=~")


def recorded_series(expression: str) -> set[str]:
    """Return the names of the recording rules that it reads."""
    return set(_RECORDED.findall(expression))


def scraped_metrics(expression: str) -> set[str]:
    """Return the names of the metrics of a replica that it reads."""
    return set(METRIC_NAME.findall(_RECORDED.sub("", re.sub(r'"[^"]*"', '""', expression))))


def label_matchers(expression: str) -> list[Matcher]:
    """Return what its selectors ask of labels."""
    return [
        Matcher(metric, *found)
        for metric, inside in _SELECTOR.findall(expression)
        for found in _MATCHER.findall(inside)
    ]


def grouping_labels(expression: str) -> set[str]:
    """Return the labels that its aggregations and joins name."""
    return set(re.findall(r"\w+", " ".join(_GROUPING.findall(expression))))
