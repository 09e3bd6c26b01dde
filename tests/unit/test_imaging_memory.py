"""Out-of-memory errors are distinguished from damaged images."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from dctnet.imaging import is_out_of_memory
from tests.support.confinement import ONE_BLAS_THREAD
from tests.support.encoded_images import encoded, gradient
from tests.support.profile_samples import ordinary_profiles
from tests.support.repo import ROOT

SIDE = 600
FORMATS = ["JPEG", "PNG", "WEBP", "AVIF"]

DECODER = """
import json, resource, sys
from dctnet.imaging import decode

def size():
    return int(open("/proc/self/statm").read().split()[0]) * 4096

data = sys.stdin.buffer.read()
small, large = data[:int(sys.argv[1])], data[int(sys.argv[1]):]
decode(small, 10**8)
unlimited = resource.getrlimit(resource.RLIMIT_AS)
outcomes = []
for margin in range(1, 41):
    resource.setrlimit(resource.RLIMIT_AS, (size() + margin * 2**19, unlimited[1]))
    try:
        decode(large, 10**8)
        outcomes.append("decoded")
    except Exception as error:
        outcomes.append(type(error).__name__)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
decode(small, 10**8)
print(json.dumps(outcomes))
"""


@pytest.mark.promise("Input: out of memory is 503, and the next small image is served")
@pytest.mark.parametrize("format", FORMATS)
def test_decoder_without_memory_raises_memory_error(format):
    """With each limit from 0.5 to 20 MiB, so that each allocation is the one that fails."""
    profile = ordinary_profiles()["RGB of tables, version 4"][1]
    image = Image.fromarray(gradient(SIDE, SIDE))
    options = {"JPEG": {"progressive": True}, "WEBP": {"method": 0}, "AVIF": {"speed": 10}}
    small, large = (
        encoded(each, format, icc_profile=profile, **options.get(format, {}))
        for each in (image.resize((64, 64)), image)
    )
    run = subprocess.run(
        [sys.executable, "-c", DECODER, str(len(small))],
        input=small + large,
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | ONE_BLAS_THREAD,
        cwd=ROOT,
    )
    outcomes = json.loads(run.stdout)
    assert outcomes[0] == "MemoryError"
    assert outcomes[-1] == "decoded"
    assert set(outcomes) == {"MemoryError", "decoded"}


def test_opencv_and_numpy_memory_errors_are_recognized():
    with pytest.raises(MemoryError) as numpy_error:
        np.empty(2**62, np.uint8)
    assert is_out_of_memory(numpy_error.value, 1)
    with pytest.raises(cv2.error) as defect:
        cv2.resize(np.empty((1, 1), np.uint8), (0, 0))
    assert not is_out_of_memory(defect.value, 1)
    defect.value.code = cv2.Error.StsNoMem
    assert is_out_of_memory(defect.value, 1)


def test_any_error_is_out_of_memory_if_memory_cannot_be_reserved():
    assert not is_out_of_memory(ValueError(), 1)
    assert is_out_of_memory(ValueError(), 2**60)
