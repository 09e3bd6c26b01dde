"""Semaphore with owned permits, per-client quotas and round robin among waiters."""

from threading import Condition, Lock
from types import TracebackType
from typing import Self

from dctnet.admission.fair_queue import Client, FairQueue
from dctnet.admission.quota import DynamicThreshold


class Permit:
    """One unit of a resource; a context manager that releases it. Idempotent."""

    def __init__(self, permits: "Permits", client: Client = None) -> None:
        self.client = client
        self.granted = False
        self._permits: Permits | None = permits
        self._lock = Lock()

    def release(self) -> None:
        """Return it to its pool; further calls, from any thread, do nothing."""
        with self._lock:
            permits, self._permits = self._permits, None
        if permits is not None:
            permits._reclaim(self)  # noqa: SLF001 - The other half of release.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.release()


class Permits:
    """A pool of ``capacity`` permits, granted round robin within per-client quotas."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._quota = DynamicThreshold()
        self._waiters: FairQueue[Permit] = FairQueue()
        self._changed = Condition()

    @property
    def in_use(self) -> int:
        """Number of granted permits."""
        return self._quota.in_use

    @property
    def waiting(self) -> int:
        """Number of waiters."""
        return len(self._waiters)

    def acquire(self, timeout: float = 0.0, client: Client = None) -> Permit | None:
        """Return a permit, or None if none is free within ``timeout`` seconds."""
        permit = Permit(self, client)
        with self._changed:
            self._waiters.push(client, permit)
            self._grant()
            try:
                self._changed.wait_for(lambda: permit.granted, timeout)
            finally:
                self._waiters.remove(client, permit)  # If it is still waiting.
            return permit if permit.granted else None

    def _grant(self) -> None:
        """Grant free permits to the next waiters, even before they wake."""
        while permit := self._waiters.pop(self._may_acquire):
            self._quota.acquire(permit.client)
            permit.granted = True
            self._changed.notify_all()

    def _may_acquire(self, client: Client) -> bool:
        return self._quota.allow(client, self.capacity)

    def _reclaim(self, permit: Permit) -> None:
        with self._changed:
            self._quota.release(permit.client)
            self._grant()
