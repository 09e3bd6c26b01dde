"""Client identity: by API key, by address, or anonymous."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, request

from dctnet.api.client_identity import identify_client
from dctnet.app import create_app
from dctnet.config import Settings
from tests.api.conftest import IMAGE, KEYS, replica_of

BY_ADDRESS = {"DCTNET_FAIRNESS": "address", "DCTNET_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8"}


def client_of(peer: str, forwarded: str | None = None, **environ: str) -> str:
    """Return the client identity of a request, by its peer and X-Forwarded-For."""
    settings = Settings.from_environment({**BY_ADDRESS, **environ})
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    with Flask("test").test_request_context(environ_base={"REMOTE_ADDR": peer}, headers=headers):
        return str(identify_client(settings)(request))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # An untrusted peer may forge the header.
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9,198.51.100.7 , 10.2.3.4", "198.51.100.7"),
        ("10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, , 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "198.51.100.7, [", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("::ffff:10.0.0.1", "2001:db8::9, [::ffff:198.51.100.7]:4711", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("fd00::1", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fd00::1", "[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2::9, fd12::3", "2001:db8:1:2::/64"),
        ("", "198.51.100.7", "None"),
    ],
)
def test_client_address_is_the_last_one_seen_by_a_trusted_proxy(peer, forwarded, client):
    assert client_of(peer, forwarded) == client


def test_trusted_proxies_may_be_mapped():
    trusted = {"DCTNET_TRUSTED_PROXIES": "::ffff:10.0.0.0/104"}
    assert client_of("::ffff:10.9.9.9", "198.51.100.7", **trusted) == "198.51.100.7"


def test_peer_address_counts_without_trusted_proxies():
    assert client_of("127.0.0.1", "198.51.100.7", DCTNET_TRUSTED_PROXIES="") == "127.0.0.1"


@pytest.mark.parametrize("fairness", ["none", "key"])
def test_address_is_ignored_by_other_fairness_settings(fairness):
    assert client_of("192.0.2.1", DCTNET_FAIRNESS=fairness) == "None"


def clients_seen(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Send an image with each key in each header; return the client identities."""
    replica = replica_of(settings)
    seen: list[object] = []
    submit = replica.admission.submit

    def note(*arguments: Any, **options: Any) -> Any:
        seen.append(options["client"])
        return submit(*arguments, **options)

    monkeypatch.setattr(replica.admission, "submit", note)
    client = create_app(replica).test_client()
    for key in KEYS:
        for headers in {"X-Api-Key": key}, {"Authorization": f"Bearer {key}", "X-Api-Key": "x"}:
            assert client.post("/v1/cartoons", data=IMAGE, headers=headers).status_code == 200
    return seen


def test_client_identity_is_a_digest_of_the_key(settings_with_keys, monkeypatch):
    first, same, second, as_well = clients_seen(settings_with_keys, monkeypatch)
    assert first == same
    assert second == as_well
    assert None not in {first, second}
    assert first != second
    for client in first, second:
        assert not any(key in str(client) or key.encode() in bytes(client) for key in KEYS)


def test_address_fairness_ignores_keys(settings_with_keys, monkeypatch):
    by_address = Settings.from_environment(BY_ADDRESS).fairness
    seen = clients_seen(replace(settings_with_keys, fairness=by_address), monkeypatch)
    assert {str(client) for client in seen} == {"127.0.0.1"}
