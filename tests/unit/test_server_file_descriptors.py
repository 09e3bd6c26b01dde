"""File descriptor limit: raised for the connections, or fewer connections."""

import resource

import pytest

from dctnet.server.file_descriptors import MIN_CONNECTIONS, RESERVED, connections_within_limit

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "soft", "connections"),
    [
        ((INFINITE, INFINITE), None, 1000),
        ((1000 + RESERVED, INFINITE), None, 1000),
        ((999 + RESERVED, INFINITE), 1000 + RESERVED, 1000),
        ((999 + RESERVED, 1000 + RESERVED), 1000 + RESERVED, 1000),
        ((256, 999 + RESERVED), 999 + RESERVED, 999),
        ((256, 256), 256, 256 - RESERVED),
        ((MIN_CONNECTIONS + RESERVED,) * 2, MIN_CONNECTIONS + RESERVED, MIN_CONNECTIONS),
    ],
)
def test_soft_limit_is_raised_up_to_the_hard_limit(monkeypatch, limits, soft, connections):
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: set_to.append(new))
    assert connections_within_limit(1000) == connections
    assert set_to == ([] if soft is None else [(soft, limits[1])])


def test_too_low_limit_is_an_error(monkeypatch):
    limit = MIN_CONNECTIONS + RESERVED - 1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with pytest.raises(OSError, match=f"raise it to {1000 + RESERVED}"):
        connections_within_limit(1000)
