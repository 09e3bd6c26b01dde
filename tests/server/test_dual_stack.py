"""Dual stack: all addresses of both families, on machines with and without IPv6."""

import itertools
import subprocess
import sys

import pytest
import requests

from dctnet.config import Address
from dctnet.server.listener import listen
from dctnet.server.single_thread_server import MAX_CONNECTIONS
from tests.server.test_read_only_root import UNABLE
from tests.support.polling import BOUND_S
from tests.support.process import free_ports
from tests.support.repo import ROOT, environment

AS_ROOT = ("unshare", "--user", "--map-root-user", "--net")
IPV4_ONLY_BY_DEFAULT = "net.ipv6.bindv6only=1"
NO_IPV6 = "net.ipv6.conf.all.disable_ipv6=1"
SERVE = """
import socket
from tests.server.conftest import TIMED
from tests.support.process import serving
with serving(None, TIMED, host="", TIMED_SECONDS=0) as server:
    port = int(server.management.rpartition(":")[2])
"""
PROBE = (
    SERVE
    + """
    print(server.probe("/readyz"))
    try:
        socket.create_connection(("::1", port))
    except OSError as error:
        print(error.strerror)
"""
)
EVICT = (
    SERVE
    + f"""
    from contextlib import ExitStack
    from tests.server.test_management import LIVEZ, read_one_response
    with ExitStack() as stack:
        def connect(source):
            connection = socket.create_connection(("2001:db8::1", port), 10, (source, 0))
            return stack.enter_context(connection)
        scraper = connect("2001:db8:1::1")
        for number in range(3 * {MAX_CONNECTIONS}):
            connect(f"2001:db8:2:0:{{number:x}}::1")
        print(server.probe("/livez"))
        scraper.sendall(LIVEZ)
        print(read_one_response(scraper)[0])
"""
)


def run_in_namespace(script: str, setup: str) -> list[str]:
    """Run a Python script in a network of its own, after shell commands; return its lines."""
    lo = f"ip link set lo up && sysctl -qw {IPV4_ONLY_BY_DEFAULT} {setup}"
    probe = subprocess.run([*AS_ROOT, "sh", "-c", lo], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"{UNABLE} {probe.stderr!r}")
    run = subprocess.run(
        [*AS_ROOT, "sh", "-c", f'{lo} && exec "$@"', "sh", sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=3 * BOUND_S,
        check=True,
    )
    return run.stdout.splitlines()


def test_both_families_reach_both_ports(start_timed):
    server = start_timed(0, host="")
    management = server.management.rpartition(":")[2]
    for host, (port, path) in itertools.product(
        ("127.0.0.1", "[::1]"), ((server.port, "/health"), (management, "/readyz"))
    ):
        assert requests.get(f"http://{host}:{port}{path}", timeout=BOUND_S).status_code == 200
    assert f"listening on http://[::]:{server.port}" in server.messages()
    assert server.stop() == 0
    assert server.faults() == []


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_single_address_takes_one_family(host):
    (port,) = free_ports(1)
    other = {"::1": "127.0.0.1", "127.0.0.1": "::1"}[host]
    # The same port of the other family is free.
    with listen(Address(host, port)) as listener, listen(Address(other, port)):
        assert listener.getsockname()[:2] == (host, port)


def test_all_addresses_include_ipv4():
    (port,) = free_ports(1)
    with listen(Address("::", port)), pytest.raises(OSError, match="in use"):
        listen(Address("127.0.0.1", port))


def test_ipv4_is_answered_without_ipv6():
    assert run_in_namespace(PROBE, NO_IPV6) == ["200", "Cannot assign requested address"]


def test_connection_limit_counts_an_ipv6_network_as_one_client():
    addresses = "net.ipv6.ip_nonlocal_bind=1 && ip route add local 2001:db8::/32 dev lo"
    assert run_in_namespace(EVICT, addresses) == ["200", "200"]
