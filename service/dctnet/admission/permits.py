"""A counted resource whose permits are owned: whoever holds one gives it back, once."""

from threading import Condition, Lock
from types import TracebackType
from typing import Self

from dctnet.admission.fair_queue import Client, FairQueue
from dctnet.admission.quota import DynamicThreshold


class Permit:
    """One unit of a resource; a context manager that gives it back. Releasing twice is once."""

    def __init__(self, permits: "Permits", client: Client = None) -> None:
        self.client = client
        self.granted = False
        self._permits: Permits | None = permits
        self._once = Lock()

    def release(self) -> None:
        """Give it back, whoever asks first and however often."""
        with self._once:
            permits, self._permits = self._permits, None
        if permits is not None:
            permits._take_back(self)  # noqa: SLF001 - The other half of the same thing.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.release()


class Permits:
    """As many permits as ``capacity``, for which clients take turns; none can hold them all."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._quota = DynamicThreshold()
        self._line: FairQueue[Permit] = FairQueue()
        self._changed = Condition()

    @property
    def held(self) -> int:
        """How many are handed out."""
        return self._quota.held

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._line)

    def acquire(self, timeout: float = 0.0, client: Client = None) -> Permit | None:
        """Return a permit, or None where none came within ``timeout`` seconds."""
        permit = Permit(self, client)
        with self._changed:
            self._line.push(client, permit)
            self._hand_out()
            try:
                self._changed.wait_for(lambda: permit.granted, timeout)
            finally:
                self._line.remove(client, permit)  # Where it is still there.
            return permit if permit.granted else None

    def _hand_out(self) -> None:
        """Give what is free to those whose turn it is, even if they still sleep."""
        while permit := self._line.pop(self._may_have_one):
            self._quota.take(permit.client)
            permit.granted = True
            self._changed.notify_all()

    def _may_have_one(self, client: Client) -> bool:
        return self._quota.allow(client, self.capacity)

    def _take_back(self, permit: Permit) -> None:
        with self._changed:
            self._quota.give_back(permit.client)
            self._hand_out()
