"""A counted resource whose permits are owned: whoever holds one gives it back, once."""

from collections import deque
from threading import Condition, Lock
from time import monotonic
from types import TracebackType
from typing import Self


class Permit:
    """One unit of a resource; a context manager that gives it back. Releasing twice is once."""

    def __init__(self, permits: "Permits") -> None:
        self._permits: Permits | None = permits
        self._once = Lock()

    def release(self) -> None:
        """Give it back, whoever asks first and however often."""
        with self._once:
            permits, self._permits = self._permits, None
        if permits is not None:
            permits._take_back()  # noqa: SLF001 - The other half of the same thing.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.release()


class Permits:
    """As many permits as ``capacity``, handed out in the order in which they were asked for."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._held = 0
        self._line: deque[Permit] = deque()
        self._changed = Condition()

    @property
    def held(self) -> int:
        """How many are handed out."""
        return self._held

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._line)

    def acquire(self, timeout: float = 0.0) -> Permit | None:
        """Return a permit, or None where none came within ``timeout`` seconds."""
        until = monotonic() + timeout
        permit = Permit(self)
        with self._changed:
            self._line.append(permit)
            try:
                # Those before it in line have a claim to what is free, even if they still sleep.
                while self._held + self._line.index(permit) >= self.capacity:
                    left = until - monotonic()
                    if left <= 0:
                        return None
                    self._changed.wait(left)
                self._held += 1
                return permit
            finally:
                self._line.remove(permit)
                # The next in line may be able to go on now, also where this one gave up.
                self._changed.notify_all()

    def _take_back(self) -> None:
        with self._changed:
            self._held -= 1
            self._changed.notify_all()
