"""Cache of transformed weights: bit-identical results, bounded memory, concurrent calls."""

import gc
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import Any, ClassVar

import numpy as np
import pytest

from dctnet.models.generator_weights import EPSILON, Weights, shapes, write
from dctnet.runtimes import native, native_library
from dctnet.runtimes.native import NativeGenerator, ScratchPool, TransformedWeights, WeightCache

IMAGE = np.random.default_rng(5).integers(0, 256, (16, 20, 3), np.uint8)

TIMEOUT_S = 60


def random_weights(seed: int) -> Weights:
    generator = np.random.default_rng(seed)
    layers = {
        name: np.float32(0.03) * generator.standard_normal(shape, np.float32)
        for name, shape in shapes()
    }
    return layers | {EPSILON: np.array(0.005 + 0.001 * seed, np.float32)}


STYLES = [random_weights(seed) for seed in range(6)]


class CountedWeights(TransformedWeights):
    """Counts the instances that exist, and the most that existed at a time."""

    lock: ClassVar = Lock()
    alive: ClassVar = 0
    most: ClassVar = 0

    def __init__(
        self, library: native_library.Library, weights: np.ndarray, epsilon: float
    ) -> None:
        with self.lock:
            CountedWeights.alive += 1
            CountedWeights.most = max(self.most, self.alive)
        super().__init__(library, weights, epsilon)

    def __del__(self) -> None:
        super().__del__()
        with self.lock:
            CountedWeights.alive -= 1


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[CountedWeights]:
    CountedWeights.alive = CountedWeights.most = 0
    monkeypatch.setattr(native, "TransformedWeights", CountedWeights)
    return CountedWeights


class GatedGenerator(NativeGenerator):
    """Waits in its transform until the test opens the gate, and then fails if it should."""

    error: Exception | None = None

    def __init__(self, weights: Weights, scratch_pool: ScratchPool, cache: WeightCache) -> None:
        super().__init__(weights, scratch_pool, cache=cache)
        self.begun, self.gate = Event(), Event()

    def transform(self, spare: TransformedWeights | None) -> TransformedWeights:
        self.begun.set()
        assert self.gate.wait(TIMEOUT_S)
        if self.error:
            raise self.error
        return super().transform(spare)


@pytest.fixture
def scratch_pool(built: None) -> ScratchPool:
    return ScratchPool(native_library.library(native_library.select_variant()))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def generators(scratch_pool: ScratchPool, cache: WeightCache, count: int) -> list[NativeGenerator]:
    return [NativeGenerator(weights, scratch_pool, cache=cache) for weights in STYLES[:count]]


def require_waiting(*calls: "Future[Any]") -> None:
    for call in calls:
        with pytest.raises(TimeoutError):
            call.result(0.1)


@pytest.mark.promise("Equivalence: a response depends only on its request, bit for bit")
def test_replaced_weights_equal_new_ones(library):
    one = generators(ScratchPool(library), WeightCache(1), 3)
    separate = generators(ScratchPool(library), WeightCache(), 3)
    expected = [generator(IMAGE) for generator in separate]
    assert not np.array_equal(expected[0], expected[1])
    for i in (0, 1, 2, 1, 0, 2):
        np.testing.assert_array_equal(one[i](IMAGE), expected[i])


@pytest.mark.promise("Equivalence: a response depends only on its request, bit for bit")
@pytest.mark.parametrize("capacity", [1, 2, 4, None])
def test_concurrent_calls_of_more_generators_than_capacity(scratch_pool, counted, capacity):
    expected = [g(IMAGE) for g in generators(scratch_pool, WeightCache(), len(STYLES))]
    gc.collect()
    assert counted.alive == 0
    counted.most = 0
    cache = WeightCache(capacity)
    styles = generators(scratch_pool, cache, len(STYLES))

    def run(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(40):
            i = order.randrange(len(styles))
            np.testing.assert_array_equal(styles[i](IMAGE), expected[i])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6), timeout=TIMEOUT_S))
    assert len(cache) == counted.alive == counted.most == (capacity or len(STYLES))
    assert (cache.switches == len(STYLES)) == (capacity is None)


def test_loading_a_generator_transforms_nothing(scratch_pool):
    cache = WeightCache()
    (generator,) = generators(scratch_pool, cache, 1)
    assert (generator.is_hot, cache.switches, len(cache)) == (False, 0, 0)
    generator(IMAGE)
    generator(IMAGE)
    assert (generator.is_hot, cache.switches, len(cache)) == (True, 1, 1)


def test_least_recently_used_generator_is_evicted(scratch_pool):
    cache = WeightCache(2)
    a, b, c = generators(scratch_pool, cache, 3)
    for generator in (a, b, a, c):
        generator(IMAGE)
    assert [g.is_hot for g in (a, b, c)] == [True, False, True]
    assert cache.switches == 3


def test_weights_of_a_collected_generator_are_freed(scratch_pool, counted):
    cache = WeightCache(2)
    a, b = generators(scratch_pool, cache, 2)
    a(IMAGE)
    b(IMAGE)
    del a
    gc.collect()
    assert (len(cache), counted.alive, b.is_hot) == (1, 1, True)
    del b
    gc.collect()
    assert (len(cache), counted.alive) == (0, 0)


def test_evicted_generator_can_be_collected(scratch_pool, counted):
    cache = WeightCache(1)
    a, b = generators(scratch_pool, cache, 2)
    expected = b(IMAGE)
    a(IMAGE)
    b(IMAGE)
    del a
    gc.collect()
    assert (len(cache), counted.alive) == (1, 1)
    np.testing.assert_array_equal(b(IMAGE), expected)


def test_generators_are_collected_while_others_are_called(scratch_pool, counted):
    cache = WeightCache(2)
    expected = [g(IMAGE) for g in generators(scratch_pool, WeightCache(), 3)]

    def run(seed: int) -> None:
        for i in random.Random(seed).choices(range(3), k=15):
            generator = NativeGenerator(STYLES[i], scratch_pool, cache=cache)
            generator.itself = generator  # Only garbage collection finds it.
            np.testing.assert_array_equal(generator(IMAGE), expected[i])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4), timeout=TIMEOUT_S))
    gc.collect()
    assert (len(cache), counted.alive) == (0, 0)


def test_concurrent_misses_transform_once(scratch_pool, threads):
    cache = WeightCache()
    generator = GatedGenerator(STYLES[0], scratch_pool, cache)
    calls = [threads.submit(generator, IMAGE) for _ in range(4)]
    assert generator.begun.wait(TIMEOUT_S)
    require_waiting(*calls)
    assert not generator.is_hot
    generator.gate.set()
    results = [call.result(TIMEOUT_S) for call in calls]
    assert all(np.array_equal(result, results[0]) for result in results)
    assert (cache.switches, len(cache)) == (1, 1)


def test_hot_generator_does_not_wait_for_a_transform(scratch_pool, threads):
    cache = WeightCache(2)
    (hot,) = generators(scratch_pool, cache, 1)
    hot(IMAGE)
    gated = GatedGenerator(STYLES[1], scratch_pool, cache)
    call = threads.submit(gated, IMAGE)
    assert gated.begun.wait(TIMEOUT_S)
    threads.submit(hot, IMAGE).result(TIMEOUT_S)
    assert not call.done()
    gated.gate.set()
    call.result(TIMEOUT_S)


def test_call_waits_while_all_memory_is_in_use(scratch_pool, threads):
    cache = WeightCache(1)
    a, b = generators(scratch_pool, cache, 2)
    with cache.borrow(a):
        call = threads.submit(b, IMAGE)
        require_waiting(call)
        assert (a.is_hot, b.is_hot, cache.switches) == (True, False, 1)
    call.result(TIMEOUT_S)
    assert (a.is_hot, b.is_hot, cache.switches, len(cache)) == (False, True, 2, 1)


def test_later_calls_do_not_overtake_a_call_that_waits_for_memory(scratch_pool, threads):
    cache = WeightCache(1)
    a, b = generators(scratch_pool, cache, 2)
    with cache.borrow(a):
        waiting = threads.submit(b, IMAGE)
        require_waiting(waiting)
        later = threads.submit(a, IMAGE)
        require_waiting(later)
    waiting.result(TIMEOUT_S)
    later.result(TIMEOUT_S)
    assert cache.switches == 3


def test_raised_limit_wakes_calls_that_wait_for_memory(scratch_pool, threads):
    cache = WeightCache(1)
    a, b = generators(scratch_pool, cache, 2)
    with cache.borrow(a):
        call = threads.submit(b, IMAGE)
        require_waiting(call)
        cache.limit(2)
        call.result(TIMEOUT_S)
    assert len(cache) == 2


def test_lowered_limit_evicts_generators_when_no_call_uses_them(scratch_pool, counted):
    cache = WeightCache()
    a, b, c = generators(scratch_pool, cache, 3)
    for generator in (a, b, c):
        generator(IMAGE)
    with cache.borrow(a), cache.borrow(b):
        cache.limit(1)
        assert [g.is_hot for g in (a, b, c)] == [True, True, False]
        assert counted.alive == 2
    assert len(cache) == counted.alive == 1


@pytest.mark.parametrize("capacity", [0, -1])
def test_limit_below_one_is_rejected(capacity):
    with pytest.raises(ValueError, match=f"at least 1, not {capacity}"):
        WeightCache(capacity)
    with pytest.raises(ValueError, match=f"at least 1, not {capacity}"):
        WeightCache().limit(capacity)


def test_failed_transform_leaves_the_cache_usable(scratch_pool, threads):
    cache = WeightCache(1)
    generator = GatedGenerator(STYLES[0], scratch_pool, cache)
    generator.error = MemoryError()
    calls = [threads.submit(generator, IMAGE) for _ in range(3)]
    assert generator.begun.wait(TIMEOUT_S)
    require_waiting(*calls)
    generator.gate.set()
    for call in calls:
        with pytest.raises(MemoryError):
            call.result(TIMEOUT_S)
    assert (generator.is_hot, cache.switches, len(cache)) == (False, 0, 0)
    generator.error = None
    generator(IMAGE)
    (other,) = generators(scratch_pool, cache, 1)
    np.testing.assert_array_equal(other(IMAGE), generator(IMAGE))
    assert len(cache) == 1


def test_rejected_call_releases_the_weights(scratch_pool):
    cache = WeightCache(1)
    a, b = generators(scratch_pool, cache, 2)
    with pytest.raises(native_library.NativeError, match="multiple of 4"):
        a(np.zeros((18, 16, 3), np.uint8))
    b(IMAGE)
    assert b.is_hot


def test_memory_of_another_library_is_not_reused(library, scratch_pool, counted):
    cache = WeightCache(1)
    pools = [ScratchPool(library), scratch_pool]
    expected = [NativeGenerator(STYLES[0], pool, cache=WeightCache())(IMAGE) for pool in pools]
    limited = [NativeGenerator(STYLES[0], pool, cache=cache) for pool in pools]
    for i in (0, 1, 0):
        np.testing.assert_array_equal(limited[i](IMAGE), expected[i])
    gc.collect()
    assert len(cache) == counted.alive == 1


def test_limit_applies_to_all_generators_of_the_process(built, monkeypatch, tmp_path):
    monkeypatch.setattr(native, "weight_cache", WeightCache())
    native.limit_hot_generators(1)
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path, weights in zip(paths, STYLES, strict=False):
        write(path, weights)
    a, b = (native.generator(path, threads=1) for path in paths)
    a(IMAGE)
    b(IMAGE)
    assert (a.is_hot, b.is_hot) == (False, True)
    native.limit_hot_generators(None)
    a(IMAGE)
    assert (a.is_hot, b.is_hot, native.weight_cache.switches) == (True, True, 3)


OUT_OF_MEMORY = """
import resource
from pathlib import Path
import numpy as np
from dctnet import malloc
from dctnet.models.folder import SHIPPED
from dctnet.models.networks import file_name
from dctnet.runtimes import native, native_library

malloc.limit_retained_memory()
image = np.zeros((16, 16, 3), np.uint8)
path = SHIPPED / "comic" / file_name("background", "native")
generators = [native.generator(path, threads=1) for _ in range(6)]
expected = generators[0](image)
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
before = resource.getrlimit(resource.RLIMIT_AS)
# A transform takes 6 MB for the weights in float32 until it ends.
resource.setrlimit(resource.RLIMIT_AS, (size + 8 * 2**20, before[1]))
failed = []
for generator in generators:
    try:
        generator(image)
    except MemoryError:
        failed.append(generator)
cache = native.weight_cache
assert failed and not any(generator.is_hot for generator in failed), failed
assert len(cache) == cache.switches == len(generators) - len(failed) >= 1
native.limit_hot_generators(len(cache))
for generator in generators:
    assert (generator(image) == expected).all()
resource.setrlimit(resource.RLIMIT_AS, before)
native.limit_hot_generators(None)
for generator in generators:
    assert (generator(image) == expected).all()
assert len(cache) == len(generators)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and RLIMIT_AS")
def test_call_without_memory_raises_and_later_calls_succeed(built):
    command = [sys.executable, "-c", OUT_OF_MEMORY]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
