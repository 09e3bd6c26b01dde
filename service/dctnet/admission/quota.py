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

    def allow(self, client: Client, capacity: int, amount: int = 1) -> bool:
        """Return whether a client may hold this much more; unidentified clients have no quota.

        A client that holds nothing may take all that is free.
        """
        free, held = capacity - self.in_use, self._in_use_by[client]
        if client is None or not held:
            return amount <= free
        rest = amount - 1  # Units that it takes before the last.
        return held + rest < QUOTA_PER_FREE * (free - rest)

    def acquire(self, client: Client, amount: int = 1) -> None:
        """Count this much more for a client."""
        self.in_use += amount
        self._in_use_by[client] += amount

    def release(self, client: Client, amount: int = 1) -> None:
        """Count this much less for a client."""
        self.in_use -= amount
        self._in_use_by[client] -= amount
        if not self._in_use_by[client]:
            del self._in_use_by[client]  # Keep no client that holds nothing.
