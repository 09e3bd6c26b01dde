"""Slots of benchmark engines: one per concurrent call."""

from threading import Barrier

import numpy as np
import pytest

from benchmarks import slots

IMAGE = np.zeros((2, 2, 3), np.uint8)


def test_concurrent_calls_have_a_slot_each():
    together = Barrier(2, timeout=60)
    created = []

    def create_slot():
        busy = []
        created.append(busy)

        def slot(image):
            assert not busy
            busy.append(image)
            together.wait()
            busy.clear()
            return image

        return slot

    generator = slots.generator(create_slot)
    assert len(created) == 1
    for _ in range(3):
        generator.require_memory(2, 2, 2)  # Two concurrent calls.
    assert len(created) == 2


def test_slot_is_used_again_after_an_error():
    created = []

    def slot(image):
        if image.any():
            raise RuntimeError("not black")
        return image

    def create_slot():
        created.append(slot)
        return slot

    generator = slots.generator(create_slot)
    with pytest.raises(RuntimeError, match="not black"):
        generator(IMAGE + 1)
    generator(IMAGE)
    assert len(created) == 1
