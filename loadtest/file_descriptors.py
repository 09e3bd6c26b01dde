"""Open files: the system's limit of them is a limit of connections."""

import resource

from loadtest.errors import LoadError

RESERVED = 64
"""Open files that are no connections: Python's own, the answers', the event loop's."""


def raise_limit(connections: int) -> None:
    """Raise this process's soft limit where that is needed.

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
