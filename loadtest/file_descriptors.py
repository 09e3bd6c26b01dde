"""Limit of open files (RLIMIT_NOFILE), which limits connections."""

import resource

from loadtest.errors import LoadError

RESERVED = 64
"""Open files that are not connections: Python's, the response store's, the event loop's."""


def raise_limit(connections: int) -> None:
    """Raise the soft limit of this process if necessary.

    Raises:
        LoadError: The hard limit is too low.
    """
    needed = connections + RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise LoadError(
            f"{connections} connections need {needed} open files, and {hard} are allowed here: "
            f"run `ulimit -Hn {needed}` as root, or use fewer connections."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
