"""The C interface without Python: see service/native/tests/driver.cpp.

`make native-sanitize` runs it under the sanitizers.
"""

from tests.native.conftest import build, make


def test_the_driver_finds_all_as_it_should_be():
    build("build/driver")
    make("check")
