"""Python side of the native runtime: weights, memory, threads and rejected arguments."""

import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dctnet.arrays import Pixels
from dctnet.models.generator_weights import EPSILON, Weights, shapes, write
from dctnet.runtimes import native, native_library
from tests.native.conftest import BUILD


@pytest.fixture(scope="module")
def weights() -> Weights:
    random = np.random.default_rng(3)
    layers = {
        name: np.float32(0.03) * random.standard_normal(shape, np.float32)
        for name, shape in shapes()
    }
    return layers | {EPSILON: np.array(0.005, np.float32)}


@pytest.fixture
def scratch_pool(built: None) -> native.ScratchPool:
    return native.ScratchPool(native_library.library(native_library.select_variant()))


def test_library_weight_count_matches_the_network(scratch_pool):
    count = sum(int(np.prod(shape)) for name, shape in shapes() if name != EPSILON)
    assert scratch_pool.library.dctnet_weight_count() == count


def test_wrong_weight_count_is_rejected(scratch_pool, weights):
    with pytest.raises(native_library.NativeError, match="number of weights is not that of"):
        native.NativeGenerator(
            {EPSILON: weights[EPSILON], "x": weights["Conv/biases"]}, scratch_pool
        )


@pytest.mark.parametrize("size", [(18, 16), (16, 8196), (0, 16)])
def test_unsupported_size_is_rejected(scratch_pool, weights, size):
    generator = native.NativeGenerator(weights, scratch_pool)
    with pytest.raises(native_library.NativeError, match="not a multiple of 4, or over 8192"):
        generator(np.zeros((*size, 3), np.uint8))


def test_non_image_array_is_rejected(scratch_pool, weights):
    generator = native.NativeGenerator(weights, scratch_pool)
    with pytest.raises(ValueError, match="HxWx3 uint8"):
        generator(np.zeros((16, 16, 4), np.uint8))


def test_non_contiguous_image_is_accepted(scratch_pool, weights):
    generator = native.NativeGenerator(weights, scratch_pool)
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    mirrored = image[:, ::-1]
    np.testing.assert_array_equal(generator(mirrored), generator(mirrored.copy()))


def test_memory_grows_to_the_largest_image_and_is_released(scratch_pool, weights):
    generator = native.NativeGenerator(weights, scratch_pool)
    assert scratch_pool.nbytes == 0
    generator(np.zeros((96, 96, 3), np.uint8))
    held = scratch_pool.nbytes
    generator(np.zeros((32, 32, 3), np.uint8))
    assert scratch_pool.nbytes == held > 0
    scratch_pool.trim()
    assert scratch_pool.nbytes == 0


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
def test_slot_memory_is_bounded_at_the_working_size(scratch_pool, weights):
    native.NativeGenerator(weights, scratch_pool)(np.zeros((720, 960, 3), np.uint8))
    assert scratch_pool.nbytes < 110e6


def test_memory_of_all_calls_is_taken_together_then_freed(scratch_pool, weights, monkeypatch):
    held: list[int] = []

    def trim(scratch: native.Scratch) -> None:
        held.append(scratch.nbytes)
        free(scratch)

    free = native.Scratch.trim
    monkeypatch.setattr(native.Scratch, "trim", trim)
    generator = native.NativeGenerator(weights, scratch_pool, threads=2)
    generator.require_memory(3, 96, 160)
    assert (scratch_pool.active_calls, scratch_pool.nbytes) == (0, 0)
    # None was freed before all were taken.
    generator.generate(np.zeros((96, 160, 3), np.uint8), 2)
    assert held == [scratch_pool.nbytes] * 3


def test_memory_is_freed_if_it_does_not_suffice(scratch_pool, weights, monkeypatch):
    def reserve(scratch: native.Scratch, *size: int) -> None:
        if len(scratch_pool._all) == 3 and scratch is scratch_pool._all[1]:
            raise MemoryError
        take(scratch, *size)

    take = native.Scratch.reserve
    monkeypatch.setattr(native.Scratch, "reserve", reserve)
    generator = native.NativeGenerator(weights, scratch_pool, threads=2)
    with pytest.raises(MemoryError):
        generator.require_memory(3, 96, 160)
    assert (scratch_pool.active_calls, scratch_pool.nbytes) == (0, 0)


def test_no_memory_is_reserved_for_unsupported_size(scratch_pool):
    with (
        scratch_pool.borrow() as scratch,
        pytest.raises(native_library.NativeError, match="multiple of 4"),
    ):
        scratch.reserve(90, 96, 1)
    assert scratch_pool.nbytes == 0


class Counting(native.NativeGenerator):
    """Records the number of threads of each call."""

    counts: list[int]

    def generate_in(self, scratch: native.Scratch, image: Pixels, threads: int) -> Pixels:
        self.counts.append(threads)
        return super().generate_in(scratch, image, threads)


def test_concurrent_calls_share_the_threads(scratch_pool, weights):
    generator, image = Counting(weights, scratch_pool, threads=4), np.zeros((16, 16, 3), np.uint8)
    generator.counts = []
    generator(image)
    with scratch_pool.borrow():
        generator(image)
        with scratch_pool.borrow(), scratch_pool.borrow(), scratch_pool.borrow():
            generator(image)
    assert generator.counts == [4, 2, 1]


def test_thread_is_to_spare_while_there_are_more_than_calls(scratch_pool, weights):
    one, three = (native.NativeGenerator(weights, scratch_pool, threads=n) for n in (1, 3))
    assert (one.has_spare_thread(), three.has_spare_thread()) == (False, True)
    with scratch_pool.borrow():
        assert three.has_spare_thread()
        with scratch_pool.borrow():
            assert not three.has_spare_thread()


def test_generators_of_a_process_share_scratch_memory(built, weights, tmp_path):
    shared = native._shared_scratch_pool(native_library.select_variant())
    before = len(shared._all)  # Of the tests that ran earlier.
    write(tmp_path / "x.npz", weights)
    one, other = (native.generator(tmp_path / "x.npz", threads=1) for _ in range(2))
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    np.testing.assert_array_equal(one(image), other(image))
    assert (shared.active_calls, len(shared._all)) == (0, max(before, 1))


@pytest.mark.alone
def test_profile_reports_seconds_per_stage(scratch_pool, weights):
    generator = native.NativeGenerator(weights, scratch_pool)
    with scratch_pool.borrow() as scratch:
        profiles = []
        for _ in range(5):
            generator.generate_in(scratch, np.zeros((96, 96, 3), np.uint8), 1)
            profiles.append(scratch.profile())
    # The least of several: the process may be paused in any stage.
    profile = {stage: min(each[stage] for each in profiles) for stage in profiles[0]}
    assert max(profile, key=profile.__getitem__) == "blocks"
    assert all(seconds > 0 for seconds in profile.values())


def test_missing_variant_is_named(built):
    with pytest.raises(
        native_library.NativeError, match=r"no libdctnet-vax\.so: build it \(make native\)"
    ):
        native_library.library("vax")


NEEDS = {
    "x86-64-v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "x86-64-v4": {"avx2", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "aarch64": {"asimd"},
}
"""The kernel's names of each variant's instructions."""


@pytest.mark.parametrize("variant", native_library.VARIANTS[platform.machine()])
def test_variant_is_supported_if_cpu_has_its_instructions(built, variant):
    has = set(Path("/proc/cpuinfo").read_text().split())
    assert native_library.Library(BUILD / f"libdctnet-{variant}.so").supported == (
        NEEDS[variant] <= has
    )


def test_invalid_library_is_rejected(tmp_path):
    path = tmp_path / "libdctnet-broken.so"
    path.write_bytes(b"no library")
    with pytest.raises(native_library.NativeError, match="cannot be loaded"):
        native_library.Library(path)


def test_library_of_another_version_is_rejected(tmp_path):
    source, path = tmp_path / "old.c", tmp_path / "libdctnet-old.so"
    source.write_text("int dctnet_version(void) { return 1; }")
    compiler = shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("needs a C compiler: apt-get install gcc")
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", path], check=True)
    with pytest.raises(native_library.NativeError, match=r"has version 1, not \d+: build it again"):
        native_library.Library(path)


def test_unsupported_architecture_is_named(monkeypatch):
    monkeypatch.setattr(native_library.platform, "machine", lambda: "vax")
    with pytest.raises(native_library.NativeError, match="not built for vax"):
        native_library.select_variant()
