"""The values that become settings: the same defaults and bounds as the service's, and no secret."""

import json
from typing import Any

import pytest

from dctnet.config import SETTINGS, Settings
from tests.support.chart import CHART, Invalid, leaf, merged, nested, render, values_yaml

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}

# Each setting that is a value of the chart, and a value that is allowed but no default.
VALUES = {
    "DCTNET_SLOTS": ("slots", 7),
    "DCTNET_THREADS": ("threads", 3),
    "DCTNET_RUNTIME": ("runtime", "native"),
    "DCTNET_QUEUE": ("queue", 4096),
    "DCTNET_UPLOADS": ("uploads", 4096),
    "DCTNET_REQUEST_TIMEOUT": ("timeouts.request", 90.5),
    "DCTNET_WATCHDOG_TIMEOUT": ("timeouts.watchdog", 20.25),
    "DCTNET_DRAIN_DELAY": ("timeouts.drainDelay", 12.5),
    "DCTNET_HEADER_TIMEOUT": ("timeouts.header", 5),
    "DCTNET_UPLOAD_GRACE": ("timeouts.uploadGrace", 2.5),
    "DCTNET_UPLOAD_RATE": ("timeouts.uploadRate", 1073741824),
    "DCTNET_MAX_BYTES": ("limits.bytes", 1073741824),
    "DCTNET_MAX_PIXELS": ("limits.pixels", 500000000),
    "DCTNET_MAX_WORKING_SIDE": ("limits.workingSide", 2048),
    "DCTNET_MODEL_DIGEST": ("model.digest", "0" * 64),
}
# What the chart sets by itself, or leaves to the image.
OTHERS = {
    "DCTNET_BIND",
    "DCTNET_MANAGEMENT_BIND",
    "DCTNET_MODEL",
    "DCTNET_MODELS_DIR",
    "DCTNET_WORKER_DIR",
    "DCTNET_CPU_MILLIS",
    "DCTNET_API_KEYS_FILE",
    # By `extraEnv`.
    "DCTNET_CORS_ORIGINS",
    "DCTNET_FAIRNESS",
    "DCTNET_TRUSTED_PROXIES",
}
BAKED = {"model": {"source": "baked"}}


def told(values: dict[str, Any]) -> dict[str, str]:
    """What the ConfigMap says."""
    return render(merged(BAKED, values)).one("ConfigMap", "dctnet")["data"]


def test_every_setting_is_a_value_or_named_here() -> None:
    assert set(BY_VARIABLE) == set(VALUES) | OTHERS
    assert set(told({"slots": 1, "model": {"digest": "0" * 64}})) - set(VALUES) == {"DCTNET_MODEL"}


@pytest.mark.parametrize("variable", VALUES)
def test_a_default_is_the_service_s(variable: str) -> None:
    setting = BY_VARIABLE[variable]
    written = told({}).get(variable)
    if variable == "DCTNET_DRAIN_DELAY":  # A proxy in front of it takes seconds to learn.
        assert written == "10"
    elif written is None:  # Left to the service.
        assert leaf(values_yaml(), VALUES[variable][0]) in {None, ""}
    elif written == "auto":
        assert setting.parse(written) is None
    else:
        assert setting.parse(written) == setting.default({})


@pytest.mark.parametrize("variable", VALUES)
def test_a_value_reaches_the_service_as_it_is(variable: str) -> None:
    path, value = VALUES[variable]
    written = told(nested(path, value))[variable]
    assert BY_VARIABLE[variable].parse(written) == value


def node(path: str) -> dict[str, Any]:
    place = SCHEMA
    for key in path.split("."):
        place = place["properties"][key]
    numeric = [each for each in place.get("anyOf", [place]) if "minimum" in each]
    return numeric[0] if numeric else {}


def allowed(variable: str, value: float) -> bool:
    try:
        BY_VARIABLE[variable].parse(str(value))
    except ValueError:
        return False
    return True


BOUNDED = [variable for variable, (path, _) in VALUES.items() if node(path)]


@pytest.mark.parametrize("variable", BOUNDED)
def test_the_schema_s_bounds_are_the_service_s(variable: str) -> None:
    path, _ = VALUES[variable]
    bounds = node(path)
    step = 1 if bounds["type"] == "integer" or bounds["type"] == ["integer", "null"] else 0.01
    for bound, beyond in (("minimum", -step), ("maximum", step)):
        assert allowed(variable, bounds[bound])
        assert not allowed(variable, bounds[bound] + beyond)
        with pytest.raises(Invalid, match=path.rpartition(".")[2]):
            render(merged(BAKED, nested(path, bounds[bound] + beyond)))


def test_most_settings_are_bounded() -> None:
    assert len(BOUNDED) == len(VALUES) - 2  # A runtime's name and a digest are not.


def test_the_settings_are_taken_by_the_service_all_together() -> None:
    settings = Settings.from_environment(told({"model": {"digest": "sha256:" + "A" * 64}}))
    assert settings.model == "/model"
    assert settings.model_digest == "a" * 64
    assert (settings.slots, settings.queue) == (Settings.from_environment({}).slots, 64)


def test_nothing_secret_is_in_a_configmap_or_in_plain_sight() -> None:
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


def test_without_keys_there_is_nothing_of_them() -> None:
    assert "api-keys" not in json.dumps(list(render()))
