"""The C interface without Python: see service/native/tests/driver.cpp.

`make native-sanitize` runs it under the sanitizers.
"""

from tests.native.conftest import build, make


def test_driver_passes():
    build("build/driver")
    make("check")
