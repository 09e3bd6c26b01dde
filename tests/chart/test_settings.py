"""Values that become settings: defaults and bounds as in the service, and no secrets."""

from typing import Any

import pytest

from dctnet.config import ANY_ORIGIN, MAX_ORIGINS, SETTINGS, Settings
from dctnet.models.pins import Pin
from tests.support.chart import (
    BAKED,
    DEFAULTS,
    DIGEST,
    JOB,
    MODELSCOPE,
    assert_schema_rejects,
    merge_values,
    nest_value,
    render,
    schema_at,
    value_at,
)
from tests.support.kubernetes import containers, pods

BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}

# Settings that are values: the path, and a valid value other than the default.
VALUES = {
    "DCTNET_SLOTS": ("inference.slots", 7),
    "DCTNET_THREADS": ("inference.threads", 3),
    "DCTNET_RUNTIME": ("inference.runtime", "native"),
    "DCTNET_QUEUE_SIZE": ("admission.queueSize", 4096),
    "DCTNET_MAX_UPLOADS": ("admission.maxUploads", 4096),
    "DCTNET_MAX_WAITING_BYTES": ("admission.maxWaitingBytes", 68719476736),
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
    "DCTNET_STYLES_OPTIONAL": ("model.stylesOptional", True),
    "DCTNET_FAIRNESS": ("fairness.by", "address"),
}
# Settings that are lists: the path, valid items, and items that the schema rejects.
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
# Settings that the chart derives or leaves to the image.
OTHERS = {
    "DCTNET_BIND",
    "DCTNET_MANAGEMENT_BIND",
    "DCTNET_STYLES",
    "DCTNET_STYLE_DIGESTS",
    "DCTNET_STYLE_CACHE",
    "DCTNET_MODELS_DIR",
    "DCTNET_PATH_PREFIX",
    "DCTNET_WORKER_TMP_DIR",
    "DCTNET_HEIC",
    "DCTNET_LOG_LEVEL",
    "DCTNET_LOG_FORMAT",
    "DCTNET_CPU_LIMIT_MILLICORES",
    "DCTNET_API_KEYS_FILE",
}


def rendered_settings(values: dict[str, Any]) -> dict[str, str]:
    """Return the data of the ConfigMap."""
    return render(merge_values(BAKED, values)).one("ConfigMap", "dctnet")["data"]


def test_all_settings_are_values_or_listed():
    assert set(BY_VARIABLE) == set(VALUES) | set(LISTS) | OTHERS
    written = set(rendered_settings({"inference": {"slots": 1}}))
    assert written - set(VALUES) == {"DCTNET_STYLES"}


@pytest.mark.parametrize("variable", VALUES)
def test_defaults_equal_those_of_the_service(variable):
    setting = BY_VARIABLE[variable]
    written = rendered_settings({}).get(variable)
    if variable == "DCTNET_DRAIN_DELAY":  # Proxies need seconds to remove a replica.
        assert written == "10"
    elif written is None:  # Default of the service.
        assert value_at(DEFAULTS, VALUES[variable][0]) in {None, ""}
    elif written == "auto":
        assert setting.parse(written) is None
    else:
        assert setting.parse(written) == setting.default({})


def test_values_reach_the_service_unchanged():
    written = rendered_settings(
        merge_values(*(nest_value(path, value) for path, value in VALUES.values()))
    )
    for variable, (_, value) in VALUES.items():
        assert BY_VARIABLE[variable].parse(written[variable]) == value, variable


def numeric_schema(path: str) -> dict[str, Any]:
    place = schema_at(path.split("."))
    numeric = [each for each in place.get("anyOf", [place]) if "minimum" in each]
    return numeric[0] if numeric else {}


def bounds(path: str) -> list[tuple[float, float]]:
    """Return minimum and maximum, each with the nearest value out of bounds."""
    bounds = numeric_schema(path)
    step = 1 if bounds["type"] in ("integer", ["integer", "null"]) else 0.01
    least, largest = bounds["minimum"], bounds["maximum"]
    return [(least, least - step), (largest, largest + step)]


def is_accepted(variable: str, value: float) -> bool:
    try:
        BY_VARIABLE[variable].parse(str(value))
    except ValueError:
        return False
    return True


BOUNDED = [variable for variable, (path, _) in VALUES.items() if numeric_schema(path)]


@pytest.mark.parametrize("variable", BOUNDED)
def test_schema_bounds_equal_those_of_the_service(variable):
    path, _ = VALUES[variable]
    for bound, beyond in bounds(path):
        assert is_accepted(variable, bound)
        assert not is_accepted(variable, beyond)


def test_schema_rejects_values_out_of_bounds():
    paths = [VALUES[variable][0] for variable in BOUNDED]
    assert_schema_rejects((path, beyond) for path in paths for _, beyond in bounds(path))
    assert len(BOUNDED) == len(VALUES) - 3  # All but runtime, `stylesOptional` and `fairness.by`.


def test_lists_reach_the_service_complete():
    written = rendered_settings(
        merge_values(*(nest_value(path, items) for path, items, _ in LISTS.values()))
    )
    for variable, (_, items, _) in LISTS.items():
        read = BY_VARIABLE[variable].parse(written[variable])
        assert isinstance(read, frozenset | tuple)
        assert {str(each) for each in read} == set(items)
        assert variable not in rendered_settings({})


def test_schema_rejects_invalid_items_tracing_and_queue():
    items = [(path, [item]) for path, _, wrong in LISTS.values() for item in wrong]
    sites = [f"https://{number}.example.org" for number in range(MAX_ORIGINS + 1)]
    tracing = [
        ("tracing.endpoint", "collector:4318"),
        ("tracing.endpoint", "http://user:password@collector:4318"),
        ("tracing.sampleRatio", -0.01),
        ("tracing.sampleRatio", 1.01),
    ]
    queue = [
        ("admission.queueSize", "64"),
        ("admission.cpuSecondsPerImage", 0.0009),
        ("admission.cpuSecondsPerImage", 3600.1),
    ]
    assert_schema_rejects([*items, ("cors.origins", sites), *tracing, *queue])


@pytest.mark.parametrize(
    "sites", [[ANY_ORIGIN], [f"https://{number}.example.org" for number in range(MAX_ORIGINS)]]
)
def test_cors_origins_up_to_the_maximum(sites):
    written = rendered_settings({"cors": {"origins": sites}})["DCTNET_CORS_ORIGINS"]
    assert BY_VARIABLE["DCTNET_CORS_ORIGINS"].parse(written) == set(sites)


def tracing_settings(tracing: dict[str, Any]) -> dict[str, str]:
    """Return the tracing variables of the replicas."""
    settings = render(merge_values(BAKED, {"tracing": tracing})).settings
    return {name: value for name, value in settings.items() if name.startswith("OTEL_")}


def test_tracing_resource_attributes_name_release_and_pod():
    assert tracing_settings({"sampleRatio": 0.5}) == {}
    assert tracing_settings({"endpoint": "http://collector:4318", "sampleRatio": 0.25}) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_SERVICE_NAME": "dctnet",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
        "OTEL_RESOURCE_ATTRIBUTES": "k8s.namespace.name=images,k8s.pod.name=$(POD_NAME)",
    }
    env = render(merge_values(BAKED, {"tracing": {"endpoint": "http://collector:4318"}})).container[
        "env"
    ]
    names = [each["name"] for each in env]
    # Kubernetes expands only variables that are defined before.
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES")


def test_service_accepts_the_configmap():
    digests = {"mine": "sha256:" + "A" * 64, "3d": f"source:{DIGEST}"}
    settings = Settings.from_environment(
        rendered_settings({"model": {"styles": ["mine", "3d"], "digests": digests}})
    )
    assert settings.styles == ("/model/mine", "/model/3d")
    assert settings.style_digests == {
        "mine": Pin("a" * 64),
        "3d": Pin("0" * 64, of_source=True),
    }
    assert (settings.style_cache, settings.styles_optional) == (2, False)
    assert (settings.slots, settings.queue_size) == (Settings.from_environment({}).slots, 64)


# Values, and the derived queue size: what a replica completes within the latency objective.
QUEUE_SIZES = {
    "the defaults: 50, below the minimum": ({}, "64"),
    "4 CPUs": ({"resources": {"limits": {"cpu": "4"}}}, "100"),
    "4000 millicores of a request without a limit": (
        {"resources": {"limits": {"cpu": None}, "requests": {"cpu": "4000m"}}},
        "100",
    ),
    "one slot with one of 4 CPUs": (
        {
            "resources": {"limits": {"cpu": "4"}},
            "inference": {"slots": 1, "threads": 1},
            "autoscaling": {"enabled": False},
            "admission": {"cpuSecondsPerImage": 0.2},
        },
        "75",
    ),
    "just above the minimum": ({"admission": {"cpuSecondsPerImage": 0.4615}}, "65"),
    "just at the minimum": ({"admission": {"cpuSecondsPerImage": 0.4616}}, "64"),
    "another latency objective": (
        {"slo": {"latency": {"bound": 30}}, "admission": {"cpuSecondsPerImage": 0.5}},
        "120",
    ),
    "an objective that follows the request timeout": (
        {"timeouts": {"request": 240}, "admission": {"cpuSecondsPerImage": 0.5}},
        "240",
    ),
    "the maximum of the service": ({"admission": {"cpuSecondsPerImage": 0.001}}, "4096"),
    "a given size": ({"admission": {"queueSize": 12, "cpuSecondsPerImage": 0.001}}, "12"),
}


@pytest.mark.parametrize(("values", "size"), QUEUE_SIZES.values(), ids=QUEUE_SIZES)
def test_queue_size_follows_the_latency_objective(values, size):
    assert rendered_settings(values)["DCTNET_QUEUE_SIZE"] == size


@pytest.mark.parametrize("values", [MODELSCOPE, JOB])
def test_secrets_are_not_in_configmaps_or_plain_env(values):
    secret = {"existingSecret": "cartoon-keys", "key": "mine"}
    model = {"tokenSecret": {"name": "hub", "key": "token"}}
    objects = render(merge_values(values, {"apiKeys": secret, "model": model}))
    assert "Secret" not in objects.kinds
    for each in objects.all("ConfigMap"):
        if each["metadata"]["name"] == "dctnet":
            assert each["data"]["DCTNET_API_KEYS_FILE"] == "/etc/dctnet/api-keys/mine"
        assert not [
            key for key in each["data"] if {"TOKEN", "SECRET", "PASSWORD"} & set(key.split("_"))
        ]
    (token,) = [
        variable
        for _, pod in pods(objects)
        for container in containers(pod)
        for variable in container["env"]
        if "TOKEN" in variable["name"]
    ]
    assert set(token) == {"name", "valueFrom"}
    assert set(token["valueFrom"]) == {"secretKeyRef"}
    (volume,) = [each for each in objects.pod["spec"]["volumes"] if each["name"] == "api-keys"]
    assert volume["secret"]["secretName"] == "cartoon-keys"
    (mount,) = [each for each in objects.container["volumeMounts"] if each["name"] == "api-keys"]
    # A file mounted by subPath never receives updates.
    assert mount == {"name": "api-keys", "mountPath": "/etc/dctnet/api-keys", "readOnly": True}
    assert "api-keys" not in str(list(render()))  # No volume without API keys.
