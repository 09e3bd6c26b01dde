"""Budget of bytes for request bodies that are uploading or waiting, with per-client quotas."""

from threading import Lock
from types import TracebackType
from typing import Self

from dctnet.admission.errors import Rejected, RejectionReason
from dctnet.admission.fair_queue import Client
from dctnet.admission.quota import DynamicThreshold
from dctnet.admission.tracebacks import clear_traceback_frames


class ByteBudget:
    """At most ``capacity`` bytes, reserved within per-client quotas. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._quota = DynamicThreshold()
        self._lock = Lock()  # Guards the sizes of the reservations, too.

    @property
    def in_use(self) -> int:
        """Number of reserved bytes."""
        return self._quota.in_use

    @property
    def free(self) -> int:
        """Number of bytes that are not reserved."""
        return self.capacity - self._quota.in_use

    def reserve(self, size: int, client: Client, retry_after: float) -> "Reservation":
        """Return a reservation of ``size`` bytes; raise Rejected if there is no room for it."""
        with self._lock:
            if size > self.free:
                raise Rejected(RejectionReason.WAITING_BYTES, retry_after)
            if not self._quota.allow(client, self.capacity, size):
                raise Rejected(RejectionReason.QUOTA, retry_after)
            self._quota.acquire(client, size)
        return Reservation(self, client, size)

    def _shrink(self, reservation: "Reservation", size: int) -> None:
        with self._lock:
            excess = max(0, reservation.size - size)
            self._quota.release(reservation.client, excess)
            reservation.size -= excess

    def _move(self, reservation: "Reservation") -> "Reservation":
        with self._lock:
            moved = Reservation(self, reservation.client, reservation.size)
            reservation.size = 0
        return moved


class Reservation:
    """Bytes of a budget for one body, with one owner; a context manager that releases them.

    The budget changes by what the reservation loses, so releasing twice is harmless.
    """

    def __init__(self, budget: ByteBudget, client: Client, size: int) -> None:
        self.client = client
        self.size = size
        self._budget = budget

    def shrink(self, size: int) -> None:
        """Keep at most ``size`` bytes."""
        self._budget._shrink(self, size)  # noqa: SLF001 - The other half, under its lock.

    def release(self) -> None:
        """Return all bytes to the budget; further calls do nothing."""
        self.shrink(0)

    def move(self) -> "Reservation":
        """Return a reservation with these bytes, for a new owner; this one has none left."""
        return self._budget._move(self)  # noqa: SLF001 - The other half, under its lock.

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if error is not None:
            clear_traceback_frames(error)  # They hold the body.
        self.release()
