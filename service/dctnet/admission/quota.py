"""How much of something bounded a client may hold, so that some of it is left for the others."""

from collections import Counter

from dctnet.admission.fair_queue import Client

QUOTA_PER_FREE = 3
"""A client may hold so many times what is free: three quarters where it is alone, and less the more
others hold. In switches this is called a dynamic threshold: nothing has to be taken back from who
got it, and nothing is set aside for anybody by name."""


class DynamicThreshold:
    """Counts who holds how much."""

    def __init__(self) -> None:
        self.in_use = 0
        self._in_use_by: Counter[Client] = Counter()

    def allow(self, client: Client, capacity: int) -> bool:
        """Say whether a client may take one more of so many; who is not told apart may take all."""
        free = capacity - self.in_use
        return free > 0 and (client is None or self._in_use_by[client] < QUOTA_PER_FREE * free)

    def acquire(self, client: Client) -> None:
        """Count one more."""
        self.in_use += 1
        self._in_use_by[client] += 1

    def release(self, client: Client) -> None:
        """Count one less."""
        self.in_use -= 1
        self._in_use_by[client] -= 1
        if not self._in_use_by[client]:
            del self._in_use_by[client]  # Clients come and go, and nobody is remembered.
