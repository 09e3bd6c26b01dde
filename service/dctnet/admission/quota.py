"""Per-client quota of a bounded resource: a dynamic threshold."""

from collections import Counter

from dctnet.admission.fair_queue import Client

QUOTA_PER_FREE = 3
"""A client may hold this many times the free capacity: three quarters if it is alone, less as
others hold more. Network switches call this a dynamic threshold: nothing is revoked, and nothing
is reserved per client."""


class DynamicThreshold:
    """Counts what each client holds."""

    def __init__(self) -> None:
        self.in_use = 0
        self._in_use_by: Counter[Client] = Counter()

    def allow(self, client: Client, capacity: int) -> bool:
        """Return whether a client may hold one more; unidentified clients have no quota."""
        free = capacity - self.in_use
        return free > 0 and (client is None or self._in_use_by[client] < QUOTA_PER_FREE * free)

    def acquire(self, client: Client) -> None:
        """Count one more for a client."""
        self.in_use += 1
        self._in_use_by[client] += 1

    def release(self, client: Client) -> None:
        """Count one less for a client."""
        self.in_use -= 1
        self._in_use_by[client] -= 1
        if not self._in_use_by[client]:
            del self._in_use_by[client]  # Keep no client that holds nothing.
