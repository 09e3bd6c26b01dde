"""File descriptor limit: the soft limit is raised to what the connections need."""

import resource

RESERVED = 128
"""Descriptors beyond client connections: models, probes, listeners, logs."""

MIN_CONNECTIONS = 16
"""Least number of connections with which a server starts."""


def connections_within_limit(requested: int) -> int:
    """Raise the soft limit for these connections; return how many fit.

    Raises OSError if the hard limit leaves less than ``MIN_CONNECTIONS``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = requested + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return requested
    if soft < MIN_CONNECTIONS + RESERVED:
        raise OSError(
            f"The limit of {soft} open files leaves no room for connections: raise it to"
            f" {needed} (ulimit -n, LimitNOFILE=, --ulimit nofile=)."
        )
    return soft - RESERVED
