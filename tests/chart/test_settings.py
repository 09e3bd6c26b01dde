"""The values that become settings: the same defaults and bounds as the service's, and no secret."""

from typing import Any

import pytest

from dctnet.config import ANY_ORIGIN, MAX_ORIGINS, SETTINGS, Settings
from tests.support.chart import (
    BAKED,
    DEFAULTS,
    assert_schema_rejects,
    leaf,
    merged,
    nested,
    render,
    schema_at,
)

BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}

# Each setting that is a value of the chart, and a value that is allowed but no default.
VALUES = {
    "DCTNET_SLOTS": ("inference.slots", 7),
    "DCTNET_THREADS": ("inference.threads", 3),
    "DCTNET_RUNTIME": ("inference.runtime", "native"),
    "DCTNET_QUEUE_SIZE": ("admission.queueSize", 4096),
    "DCTNET_MAX_UPLOADS": ("admission.maxUploads", 4096),
    "DCTNET_REQUEST_TIMEOUT": ("timeouts.request", 90.5),
    "DCTNET_WATCHDOG_TIMEOUT": ("timeouts.watchdog", 20.25),
    "DCTNET_DRAIN_DELAY": ("timeouts.drainDelay", 12.5),
    "DCTNET_HEADER_TIMEOUT": ("timeouts.header", 5),
    "DCTNET_UPLOAD_IDLE_TIMEOUT": ("timeouts.uploadIdle", 2.5),
    "DCTNET_MIN_UPLOAD_RATE": ("timeouts.minUploadRate", 1073741824),
    "DCTNET_RESPONSE_TIMEOUT": ("timeouts.response", 90.5),
    "DCTNET_RESPONSE_IDLE_TIMEOUT": ("timeouts.responseIdle", 2.5),
    "DCTNET_MIN_RESPONSE_RATE": ("timeouts.minResponseRate", 1073741824),
    "DCTNET_MAX_BODY_BYTES": ("requestLimits.bodyBytes", 1073741824),
    "DCTNET_MAX_PIXELS": ("requestLimits.pixels", 500000000),
    "DCTNET_MAX_WORKING_SIDE": ("requestLimits.workingSide", 2048),
    "DCTNET_MAX_UNSENT_BYTES": ("requestLimits.unsentBytes", 68719476736),
    "DCTNET_MODEL_DIGEST": ("model.digest", "0" * 64),
    "DCTNET_FAIRNESS": ("fairness.by", "address"),
}
# Those that are lists, with what the schema rejects.
LISTS = {
    "DCTNET_CORS_ORIGINS": (
        "cors.origins",
        ["https://shop.example.org", "http://localhost:3000", "http://[::1]:8000"],
        ["https://shop.example.org/", "shop.example.org", "https://Shop.example.org", ""],
    ),
    "DCTNET_TRUSTED_PROXIES": (
        "fairness.trustedProxies",
        ["10.244.0.0/16", "fd00::/8", "192.0.2.7/32"],
        ["10.244.0.0", "10.244.0.0/33", "proxies", ""],
    ),
}
# What the chart sets by itself, or leaves to the image.
OTHERS = {
    "DCTNET_BIND",
    "DCTNET_MANAGEMENT_BIND",
    "DCTNET_MODEL",
    "DCTNET_MODELS_DIR",
    "DCTNET_WORKER_TMP_DIR",
    "DCTNET_LOG_LEVEL",
    "DCTNET_LOG_FORMAT",
    "DCTNET_CPU_LIMIT_MILLICORES",
    "DCTNET_API_KEYS_FILE",
}


def told(values: dict[str, Any]) -> dict[str, str]:
    """What the ConfigMap says."""
    return render(merged(BAKED, values)).one("ConfigMap", "dctnet")["data"]


def test_every_setting_is_a_value_or_named_here():
    assert set(BY_VARIABLE) == set(VALUES) | set(LISTS) | OTHERS
    values = {"inference": {"slots": 1}, "model": {"digest": "0" * 64}}
    assert set(told(values)) - set(VALUES) == {"DCTNET_MODEL"}


@pytest.mark.parametrize("variable", VALUES)
def test_a_default_is_the_service_s(variable):
    setting = BY_VARIABLE[variable]
    written = told({}).get(variable)
    if variable == "DCTNET_DRAIN_DELAY":  # A proxy in front of it takes seconds to learn.
        assert written == "10"
    elif written is None:  # Left to the service.
        assert leaf(DEFAULTS, VALUES[variable][0]) in {None, ""}
    elif written == "auto":
        assert setting.parse(written) is None
    else:
        assert setting.parse(written) == setting.default({})


def test_a_value_reaches_the_service_as_it_is():
    written = told(merged(*(nested(path, value) for path, value in VALUES.values())))
    for variable, (_, value) in VALUES.items():
        assert BY_VARIABLE[variable].parse(written[variable]) == value, variable


def node(path: str) -> dict[str, Any]:
    place = schema_at(path.split("."))
    numeric = [each for each in place.get("anyOf", [place]) if "minimum" in each]
    return numeric[0] if numeric else {}


def bounds(path: str) -> list[tuple[float, float]]:
    """The least and the largest value, each with the next one beyond."""
    bounds = node(path)
    step = 1 if bounds["type"] in ("integer", ["integer", "null"]) else 0.01
    least, largest = bounds["minimum"], bounds["maximum"]
    return [(least, least - step), (largest, largest + step)]


def allowed(variable: str, value: float) -> bool:
    try:
        BY_VARIABLE[variable].parse(str(value))
    except ValueError:
        return False
    return True


BOUNDED = [variable for variable, (path, _) in VALUES.items() if node(path)]


@pytest.mark.parametrize("variable", BOUNDED)
def test_the_schema_s_bounds_are_the_service_s(variable):
    path, _ = VALUES[variable]
    for bound, beyond in bounds(path):
        assert allowed(variable, bound)
        assert not allowed(variable, beyond)


def test_the_schema_rejects_what_is_beyond_its_bounds():
    paths = [VALUES[variable][0] for variable in BOUNDED]
    assert_schema_rejects((path, beyond) for path in paths for _, beyond in bounds(path))
    assert len(BOUNDED) == len(VALUES) - 3  # A runtime's name, a digest and `fairness.by` are not.


def test_a_list_reaches_the_service_whole():
    written = told(merged(*(nested(path, items) for path, items, _ in LISTS.values())))
    for variable, (_, items, _) in LISTS.items():
        read = BY_VARIABLE[variable].parse(written[variable])
        assert isinstance(read, frozenset | tuple)
        assert {str(each) for each in read} == set(items)
        assert variable not in told({})


def test_what_is_no_item_and_what_is_no_tracing_is_rejected_by_the_schema():
    items = [(path, [item]) for path, _, wrong in LISTS.values() for item in wrong]
    sites = [f"https://{number}.example.org" for number in range(MAX_ORIGINS + 1)]
    tracing = [
        ("tracing.endpoint", "collector:4318"),
        ("tracing.endpoint", "http://user:password@collector:4318"),
        ("tracing.sampleRatio", -0.01),
        ("tracing.sampleRatio", 1.01),
    ]
    assert_schema_rejects([*items, ("cors.origins", sites), *tracing])


@pytest.mark.parametrize(
    "sites", [[ANY_ORIGIN], [f"https://{number}.example.org" for number in range(MAX_ORIGINS)]]
)
def test_every_site_s_pages_may_be_let_in_or_as_many_as_the_service_takes(sites):
    written = told({"cors": {"origins": sites}})["DCTNET_CORS_ORIGINS"]
    assert BY_VARIABLE["DCTNET_CORS_ORIGINS"].parse(written) == set(sites)


def traced(tracing: dict[str, Any]) -> dict[str, str]:
    """What the replicas are told of tracing."""
    settings = render(merged(BAKED, {"tracing": tracing})).settings
    return {name: value for name, value in settings.items() if name.startswith("OTEL_")}


def test_spans_are_named_after_the_release_and_the_pod_where_there_is_a_collector():
    assert traced({"sampleRatio": 0.5}) == {}
    assert traced({"endpoint": "http://collector:4318", "sampleRatio": 0.25}) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_SERVICE_NAME": "dctnet",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
        "OTEL_RESOURCE_ATTRIBUTES": "k8s.namespace.name=images,k8s.pod.name=$(POD_NAME)",
    }
    env = render(merged(BAKED, {"tracing": {"endpoint": "http://collector:4318"}})).container["env"]
    names = [each["name"] for each in env]
    # A variable is put into another only if it stands before it.
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES")


def test_the_settings_are_taken_by_the_service_all_together():
    settings = Settings.from_environment(told({"model": {"digest": "sha256:" + "A" * 64}}))
    assert settings.model == "/model"
    assert settings.model_digest == "a" * 64
    assert (settings.slots, settings.queue_size) == (Settings.from_environment({}).slots, 64)


def test_nothing_secret_is_in_a_configmap_or_in_plain_sight():
    secret = {"existingSecret": "cartoon-keys", "key": "mine"}
    model = {"tokenSecret": {"name": "hub", "key": "token"}}
    made = render({"apiKeys": secret, "model": model})
    assert "Secret" not in made.kinds
    for each in made.all("ConfigMap"):
        if each["metadata"]["name"] == "dctnet":
            assert each["data"]["DCTNET_API_KEYS_FILE"] == "/etc/dctnet/api-keys/mine"
        assert not [
            key for key in each["data"] if {"TOKEN", "SECRET", "PASSWORD"} & set(key.split("_"))
        ]
    for container in [*made.pod["spec"]["initContainers"], made.container]:
        for variable in container["env"]:
            if "TOKEN" in variable["name"]:
                assert set(variable) == {"name", "valueFrom"}
                assert set(variable["valueFrom"]) == {"secretKeyRef"}
    (volume,) = [each for each in made.pod["spec"]["volumes"] if each["name"] == "api-keys"]
    assert volume["secret"]["secretName"] == "cartoon-keys"
    (mount,) = [each for each in made.container["volumeMounts"] if each["name"] == "api-keys"]
    # A file that is mounted by subPath never changes.
    assert mount == {"name": "api-keys", "mountPath": "/etc/dctnet/api-keys", "readOnly": True}
    assert "api-keys" not in str(list(render()))  # Without keys there is nothing of them.
