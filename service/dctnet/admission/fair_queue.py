"""A queue whose clients take turns, so that whoever sends much holds up nobody but itself."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
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
        self._queues: OrderedDict[Client, OrderedDict[T, None]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def clients(self) -> int:
        """How many clients wait."""
        return len(self._queues)

    def push(self, client: Client, item: T) -> None:
        """Put an item behind those of its client, who goes to the end of the line if it is new."""
        self._queues.setdefault(client, OrderedDict())[item] = None
        self._length += 1

    def pop(self, is_eligible: Callable[[Client], bool] = lambda _: True) -> T | None:
        """Take the item whose turn it is, of the first client that ``may`` have one, if any.

        That client goes to the end of the line; those that may not keep their place in it.
        """
        for client, items in self._queues.items():
            if is_eligible(client):
                item = next(iter(items))
                self.remove(client, item)
                self.end_turn(client)
                return item
        return None

    def end_turn(self, client: Client) -> None:
        """Let those go first who came while a client had its turn."""
        if client in self._queues:
            self._queues.move_to_end(client)

    def remove(self, client: Client, item: T) -> bool:
        """Take an item out, wherever it is; return whether it was there."""
        items = self._queues.get(client)
        if items is None or item not in items:
            return False
        del items[item]
        self._length -= 1
        if not items:
            del self._queues[client]
        return True

    def position(self, client: Client, item: T) -> int:
        """Return in which turn from now an item is popped, 1 for the next; 0 if it is not there."""
        items = self._queues.get(client)
        if items is None or item not in items:
            return 0
        before = list(items).index(item)
        position, goes_first = before + 1, 1
        for other, its_items in self._queues.items():
            if other == client:
                goes_first = 0  # Whoever comes later in the line has had one turn less by then.
            else:
                position += min(len(its_items), before + goes_first)
        return position

    def turns_before(self, client: Client) -> "UpcomingTurns[T]":
        """Return what would be popped before one more item of a client; to be used at once."""
        return UpcomingTurns(self._queues, client)


class UpcomingTurns(Generic[T]):
    """The coming turns of a queue, up to that of a newcomer; the queue must not change meanwhile.

    It copies no items, so that it costs as many steps as there are turns.
    """

    def __init__(self, line: Mapping[Client, Iterable[T]], newcomer: Client) -> None:
        self._queues = OrderedDict((client, iter(items)) for client, items in line.items())
        self._queues.setdefault(newcomer, iter(()))
        self._newcomer = newcomer

    def pop(self) -> T | None:
        """Return the item whose turn comes next, None for the newcomer's."""
        while True:
            client, items = self._queues.popitem(last=False)
            for item in items:
                self._queues[client] = items
                return item
            if client == self._newcomer:
                return None

    def end_turn(self, client: Client) -> None:
        """Do as the queue's end_turn does."""
        if client in self._queues:
            self._queues.move_to_end(client)
