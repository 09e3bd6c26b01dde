"""A queue whose clients take turns, so that whoever sends much holds up nobody but itself."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Client = Hashable
"""Whose something is; None where nobody is told apart."""

T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[T]):
    """Round robin over the clients that wait, first in, first out within each; a step is O(1).

    Nobody is overtaken by who came to the line later: with n clients before it, a client's turn
    comes after at most n others.
    """

    def __init__(self) -> None:
        self._line: OrderedDict[Client, OrderedDict[T, None]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def clients(self) -> int:
        """How many clients wait."""
        return len(self._line)

    def push(self, client: Client, item: T) -> None:
        """Put an item behind those of its client, who goes to the end of the line if it is new."""
        self._line.setdefault(client, OrderedDict())[item] = None
        self._length += 1

    def pop(self, may: Callable[[Client], bool] = lambda _: True) -> T | None:
        """Take the item whose turn it is, of the first client that ``may`` have one, if any.

        That client goes to the end of the line; those that may not keep their place in it.
        """
        for client, items in self._line.items():
            if may(client):
                item = next(iter(items))
                self.remove(client, item)
                self.end_turn(client)
                return item
        return None

    def end_turn(self, client: Client) -> None:
        """Let those go first who came while a client had its turn."""
        if client in self._line:
            self._line.move_to_end(client)

    def remove(self, client: Client, item: T) -> bool:
        """Take an item out, wherever it is; return whether it was there."""
        items = self._line.get(client, {})
        if item not in items:
            return False
        del items[item]
        self._length -= 1
        if not items:
            del self._line[client]
        return True

    def copy(self) -> "FairQueue[T]":
        """Return another one in the same state."""
        other: FairQueue[T] = FairQueue()
        other._line = OrderedDict((client, items.copy()) for client, items in self._line.items())
        other._length = self._length
        return other
