"""Timeouts: derived from the request timeout, overridden, and equal for all proxies."""

from math import ceil
from typing import Any

import pytest

from dctnet.config import Settings
from dctnet.server.gunicorn_app import KEEP_ALIVE_S
from dctnet.shared_limits import (
    GRACEFUL_MARGIN_S,
    PROXY_READ_MARGIN_S,
    PROXY_TOTAL_MARGIN_S,
    TERMINATION_MARGIN_S,
)
from tests.support.chart import GATEWAY, INGRESS, merge_values, render


def rendered_timeouts(**timeouts: Any) -> dict[str, Any]:
    policy_ = {"gateway": {"retryPolicy": "envoy"}}
    objects = render(merge_values(INGRESS, GATEWAY, policy_, {"timeouts": timeouts}))
    # The kubelet sets the CPU limit.
    settings = objects.settings | {"DCTNET_CPU_LIMIT_MILLICORES": "2000"}
    annotations = objects.one("Ingress")["metadata"]["annotations"]
    nginx = "nginx.ingress.kubernetes.io/proxy"
    policy = objects.one("BackendTrafficPolicy")["spec"]
    return {
        "request": float(settings["DCTNET_REQUEST_TIMEOUT"]),
        "watchdog": float(settings["DCTNET_WATCHDOG_TIMEOUT"]),
        "drain": float(settings["DCTNET_DRAIN_DELAY"]),
        "graceful": Settings.from_environment(settings).graceful_timeout,
        "grace": objects.pod["spec"]["terminationGracePeriodSeconds"],
        "read": int(annotations[f"{nginx}-read-timeout"]),
        "send": int(annotations[f"{nginx}-send-timeout"]),
        "tries": int(annotations[f"{nginx}-next-upstream-timeout"]),
        "route": objects.one("HTTPRoute")["spec"]["rules"][0]["timeouts"],
        "idle": policy["timeout"]["http"]["connectionIdleTimeout"],
    }


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
@pytest.mark.parametrize(
    ("request_s", "drain_s"), [(60, 10), (30.5, 7.25), (59.9, 10.2), (3600, 600), (31, 6)]
)
def test_timeouts_are_derived_from_the_request_timeout(request_s, drain_s):
    objects = rendered_timeouts(request=request_s, drainDelay=drain_s)
    assert objects["request"] == request_s
    assert objects["drain"] == drain_s
    assert objects["graceful"] == ceil(drain_s + request_s) + GRACEFUL_MARGIN_S
    assert objects["grace"] == objects["graceful"] + TERMINATION_MARGIN_S
    assert objects["read"] == objects["send"] == ceil(request_s) + PROXY_READ_MARGIN_S
    assert objects["tries"] == ceil(request_s)  # nginx does not retry a read timeout.
    # Without `backendRequest`, so that a gateway does not end a try to start a retry.
    assert objects["route"] == {"request": f"{ceil(request_s) + PROXY_TOTAL_MARGIN_S}s"}


def test_overridden_timeout_changes_no_other():
    overrides = {"terminationGracePeriod": 100, "proxyRead": 61, "proxyTotal": 200}
    changed = {"grace": 100, "read": 61, "send": 61, "route": {"request": "200s"}}
    changed |= {"idle": "30s", "watchdog": 12.5}
    assert (
        rendered_timeouts(**overrides, proxyIdle=30, watchdog=12.5) == rendered_timeouts() | changed
    )


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
def test_proxy_idle_timeout_is_less_than_keep_alive():
    assert int(rendered_timeouts()["idle"].removesuffix("s")) < KEEP_ALIVE_S
    with pytest.raises(Exception, match="proxyIdle"):
        render({"timeouts": {"proxyIdle": KEEP_ALIVE_S}})
    assert render({"timeouts": {"proxyIdle": KEEP_ALIVE_S - 1}}).deployment
