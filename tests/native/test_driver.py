"""The C interface without Python: see service/native/tests/driver.cpp."""

from tests.native.conftest import make


def test_the_driver_finds_all_as_it_should_be() -> None:
    make("check")


def test_the_sanitizers_find_nothing() -> None:
    make("sanitize")
