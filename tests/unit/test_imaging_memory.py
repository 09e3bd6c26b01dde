"""Out-of-memory errors of the inference are recognized."""

import cv2
import numpy as np
import pytest

from dctnet.imaging import is_out_of_memory


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
