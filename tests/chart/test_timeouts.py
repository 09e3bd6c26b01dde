"""The chain of timeouts: derived from the request's, overridden, and told to all alike."""

from math import ceil
from typing import Any

import pytest

from dctnet.config import Settings
from dctnet.server.gunicorn_app import KEEP_ALIVE_S
from tests.support.chart import GATEWAY, INGRESS, merged, render


def chain(**timeouts: Any) -> dict[str, Any]:
    policy_ = {"gateway": {"retryPolicy": "envoy"}}
    made = render(merged(INGRESS, GATEWAY, policy_, {"timeouts": timeouts}))
    # The kubelet fills in the CPU limit.
    settings = made.settings | {"DCTNET_CPU_LIMIT_MILLICORES": "2000"}
    annotations = made.one("Ingress")["metadata"]["annotations"]
    nginx = "nginx.ingress.kubernetes.io/proxy"
    policy = made.one("BackendTrafficPolicy")["spec"]
    return {
        "request": float(settings["DCTNET_REQUEST_TIMEOUT"]),
        "watchdog": float(settings["DCTNET_WATCHDOG_TIMEOUT"]),
        "drain": float(settings["DCTNET_DRAIN_DELAY"]),
        "graceful": Settings.from_environment(settings).graceful_timeout,
        "grace": made.pod["spec"]["terminationGracePeriodSeconds"],
        "read": int(annotations[f"{nginx}-read-timeout"]),
        "send": int(annotations[f"{nginx}-send-timeout"]),
        "tries": int(annotations[f"{nginx}-next-upstream-timeout"]),
        "route": made.one("HTTPRoute")["spec"]["rules"][0]["timeouts"],
        "idle": policy["timeout"]["http"]["connectionIdleTimeout"],
    }


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
@pytest.mark.parametrize(
    ("request_s", "drain_s"), [(60, 10), (30.5, 7.25), (59.9, 10.2), (3600, 600), (31, 6)]
)
def test_the_chain_follows_from_the_request(request_s, drain_s):
    made = chain(request=request_s, drainDelay=drain_s)
    assert made["request"] == request_s
    assert made["drain"] == drain_s
    assert made["graceful"] == ceil(drain_s + request_s) + 5
    assert made["grace"] == made["graceful"] + 5
    assert made["read"] == made["send"] == ceil(request_s) + 5
    assert made["tries"] == ceil(request_s)  # nginx begins no other after a read timeout.
    # Without `backendRequest`: a gateway never ends one try to begin another.
    assert made["route"] == {"request": f"{ceil(request_s) + 10}s"}


def test_each_link_may_be_overridden_and_changes_no_other():
    told = {"terminationGracePeriod": 100, "proxyRead": 61, "proxyTotal": 200}
    changed = {"grace": 100, "read": 61, "send": 61, "route": {"request": "200s"}}
    changed |= {"idle": "30s", "watchdog": 12.5}
    assert chain(**told, proxyIdle=30, watchdog=12.5) == chain() | changed


@pytest.mark.promise("Cluster: values that break timeouts or proxies are rejected with a sentence")
def test_idle_connections_are_closed_by_the_proxy_before_the_replica_does():
    assert int(chain()["idle"].removesuffix("s")) < KEEP_ALIVE_S
    with pytest.raises(Exception, match="proxyIdle"):
        render({"timeouts": {"proxyIdle": KEEP_ALIVE_S}})
    assert render({"timeouts": {"proxyIdle": KEEP_ALIVE_S - 1}}).deployment
