"""Tracing variables: what turns tracing on, and what is rejected."""

import pytest

from dctnet.config import SettingsError
from dctnet.tracing import from_environment

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
ADDRESS = "http://collector:4318"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {ENDPOINT: ""},
        {"OTEL_SERVICE_NAME": "cartoons"},
        {ENDPOINT: ADDRESS, "OTEL_SDK_DISABLED": "True"},
        {ENDPOINT: ADDRESS, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_tracing_is_off_by_default(environ):
    assert from_environment(environ) is None


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({ENDPOINT: ADDRESS}, "collector:4318"),
        ({ENDPOINT: ADDRESS, "OTEL_SDK_DISABLED": "false"}, "collector:4318"),
        ({TRACES: "https://traces/v1/traces", ENDPOINT: ADDRESS}, "traces"),
        ({ENDPOINT: "http://me:secret@[::1]:4318/"}, "[::1]:4318"),
        ({ENDPOINT: ADDRESS, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "collector:4318"),
    ],
)
def test_endpoint_variable_turns_tracing_on(environ, host):
    tracing = from_environment(environ)
    assert tracing is not None
    assert tracing.host == host


@pytest.mark.parametrize(
    "address", ["collector:4318", "grpc://collector:4317", "http://", "http://["]
)
def test_invalid_endpoint_is_rejected(address):
    with pytest.raises(SettingsError) as rejected:
        from_environment({ENDPOINT: address})
    assert str(rejected.value) == (
        f"{ENDPOINT} is {address!r}, but it must be an address such as http://collector:4318."
    )


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"]
)
def test_unsupported_protocol_is_rejected(name):
    with pytest.raises(SettingsError) as rejected:
        from_environment({ENDPOINT: ADDRESS, name: "grpc"})
    assert str(rejected.value) == f"{name} is 'grpc', but it must be http/protobuf."
