"""Fair queueing: round robin over clients. A client's many jobs delay only itself."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

Client = Hashable
"""Client identity; None without client identification."""

T = TypeVar("T", bound=Hashable)


class FairQueue(Generic[T]):
    """Round robin over the waiting clients, FIFO within each; each operation is O(1).

    Clients that arrive later never overtake: with n clients ahead, a client's turn comes after at
    most n others.
    """

    def __init__(self) -> None:
        self._queues: OrderedDict[Client, OrderedDict[T, None]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def clients(self) -> int:
        """Number of waiting clients."""
        return len(self._queues)

    def push(self, client: Client, item: T) -> None:
        """Add an item behind those of its client; a new client is last in the rotation."""
        self._queues.setdefault(client, OrderedDict())[item] = None
        self._length += 1

    def pop(self, is_eligible: Callable[[Client], bool] = lambda _: True) -> T | None:
        """Remove and return the next item of the first eligible client, if any.

        That client moves to the end of the rotation; ineligible clients keep their positions.
        """
        for client, items in self._queues.items():
            if is_eligible(client):
                item = next(iter(items))
                self.remove(client, item)
                self.end_turn(client)
                return item
        return None

    def end_turn(self, client: Client) -> None:
        """Move a client behind those that arrived during its turn."""
        if client in self._queues:
            self._queues.move_to_end(client)

    def remove(self, client: Client, item: T) -> bool:
        """Remove an item; return whether it was in the queue."""
        items = self._queues.get(client)
        if items is None or item not in items:
            return False
        del items[item]
        self._length -= 1
        if not items:
            del self._queues[client]
        return True

    def position(self, client: Client, item: T) -> int:
        """Return an item's position, 1 for the next to pop; 0 if it is not in the queue."""
        items = self._queues.get(client)
        if items is None or item not in items:
            return 0
        before = list(items).index(item)
        position, goes_first = before + 1, 1
        for other, its_items in self._queues.items():
            if other == client:
                goes_first = 0  # Clients behind it have had one turn less by then.
            else:
                position += min(len(its_items), before + goes_first)
        return position

    def turns_before(self, client: Client) -> "UpcomingTurns[T]":
        """Return the turns before one more item of a client."""
        return UpcomingTurns(self._queues, client)


class UpcomingTurns(Generic[T]):
    """Upcoming turns of a queue, up to a newcomer's; valid until the queue changes.

    Copies no items: the cost is one step per turn.
    """

    def __init__(self, line: Mapping[Client, Iterable[T]], newcomer: Client) -> None:
        self._queues = OrderedDict((client, iter(items)) for client, items in line.items())
        self._queues.setdefault(newcomer, iter(()))
        self._newcomer = newcomer

    def pop(self) -> T | None:
        """Return the item of the next turn, None for the newcomer's."""
        while True:
            client, items = self._queues.popitem(last=False)
            for item in items:
                self._queues[client] = items
                return item
            if client == self._newcomer:
                return None

    def end_turn(self, client: Client) -> None:
        """Move a client behind the others, as ``FairQueue.end_turn`` does."""
        if client in self._queues:
            self._queues.move_to_end(client)
