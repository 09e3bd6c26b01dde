"""Sets in the order of insertion for tf2onnx, so that it converts a graph the same way every time.

tf2onnx iterates over sets of nodes and of names, whose order depends on addresses in memory and on
the seed of string hashes. Its optimizers then move nodes in another order and make other, equally
right graphs.
"""

import sys
from collections.abc import Iterable, Iterator, MutableSet
from contextlib import contextmanager
from typing import Any


class OrderedSet(MutableSet[Any]):
    """A set whose iteration order is the order of insertion; the methods are those of ``set``."""

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Any) -> None:  # noqa: D102
        self._items[item] = None

    def discard(self, item: Any) -> None:  # noqa: D102
        self._items.pop(item, None)

    def union(self, *others: Iterable[Any]) -> "OrderedSet":  # noqa: D102
        return OrderedSet(item for items in (self, *others) for item in items)

    def intersection(self, other: Iterable[Any]) -> "OrderedSet":  # noqa: D102
        return OrderedSet(self & OrderedSet(other))

    def issubset(self, other: Iterable[Any]) -> bool:  # noqa: D102
        return self <= OrderedSet(other)

    def update(self, other: Iterable[Any]) -> None:  # noqa: D102
        self._items.update(dict.fromkeys(other))


@contextmanager
def ordered_sets(package: str) -> Iterator[None]:
    """Replace ``set`` in the imported modules of a package within the block."""
    modules = [
        vars(module)
        for name, module in sys.modules.items()
        if name == package or name.startswith(f"{package}.")
    ]
    for names in modules:
        names["set"] = OrderedSet
    try:
        yield
    finally:
        for names in modules:
            del names["set"]
