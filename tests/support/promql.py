"""Metrics, matchers and labels of PromQL expressions."""

import re
from dataclasses import dataclass

METRIC_NAME = re.compile(r"\b(?:dctnet|process)_\w+|\bup\b")
"""Scraped metrics; recorded series have colons in their names."""

_RECORDED = re.compile(r"\b\w+:\w+:\w+\b")
_SELECTOR = re.compile(r'([\w:]+)\{((?:"[^"]*"|[^}"])*)\}')
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
        """Whether the matcher selects this label value."""
        if self.operator in {"=", "!="}:
            return (value == self.value) == (self.operator == "=")
        return (re.fullmatch(self.value, value) is not None) == (self.operator == "=~")


def recorded_series(expression: str) -> set[str]:
    """Return the recorded series in an expression."""
    return set(_RECORDED.findall(expression))


def scraped_metrics(expression: str) -> set[str]:
    """Return the scraped metrics in an expression."""
    return set(METRIC_NAME.findall(_RECORDED.sub("", re.sub(r'"[^"]*"', '""', expression))))


def label_matchers(expression: str) -> list[Matcher]:
    """Return the label matchers of all selectors."""
    return [
        Matcher(metric, *found)
        for metric, inside in _SELECTOR.findall(expression)
        for found in _MATCHER.findall(inside)
    ]


def grouping_labels(expression: str) -> set[str]:
    """Return the labels of aggregations and joins."""
    return set(re.findall(r"\w+", " ".join(_GROUPING.findall(expression))))
