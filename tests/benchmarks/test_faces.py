"""Benchmark of the face networks: what it measures."""

from itertools import product

import pytest


@pytest.mark.xdist_group("tensorflow")
def test_every_network_runs_in_both_runtimes(tmp_path):
    from benchmarks.faces import calls  # TensorFlow costs seconds.

    measured = calls(tmp_path)
    runtimes = ("ONNX Runtime", "TensorFlow")
    assert set(measured) == set(product(("detector", "landmarks"), runtimes, ("public", "shipped")))
    for call in measured.values():
        call()
