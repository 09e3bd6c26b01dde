"""Native runtime: the C++ generator of `service/native`, called through ctypes.

ctypes releases the GIL while the library computes. `make native` builds the library.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ctypes import POINTER, byref, c_double, c_uint8, c_void_p
from dataclasses import dataclass, field
from functools import cache
from threading import Condition, Lock
from weakref import ref

import numpy as np

from dctnet.arrays import Floats, Pixels
from dctnet.models import generator_weights
from dctnet.models.generator_weights import EPSILON, Weights
from dctnet.models.open_files import Readable
from dctnet.runtimes import Generator
from dctnet.runtimes.native_library import (
    BAD_ARGUMENT,
    BAD_WEIGHTS,
    STAGES,
    Library,
    check_status,
    library,
    select_variant,
)


def generator(path: Readable, threads: int) -> Generator:
    """Load a generator's weights; its concurrent calls share `threads` threads.

    Raises ModelError if the file is not a weights file.
    """
    with _pool_lock:
        scratch_pool = _shared_scratch_pool(select_variant())
    return NativeGenerator(generator_weights.read(path), scratch_pool, threads)


_pool_lock = Lock()
"""Generators load in parallel, and `cache` alone would let each create its own pool."""


@cache
def _shared_scratch_pool(variant: str) -> "ScratchPool":
    """Return the pool of all generators of this process: a slot runs one at a time."""
    return ScratchPool(library(variant))


class Scratch:
    """Memory of one call at a time. It grows to the size of the largest image."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.handle = c_void_p()
        check_status(library.dctnet_scratch_create(byref(self.handle)))

    def __del__(self) -> None:
        self._library.dctnet_scratch_destroy(self.handle)

    @property
    def nbytes(self) -> int:
        """Allocated bytes."""
        return int(self._library.dctnet_scratch_bytes(self.handle))

    def reserve(self, height: int, width: int, threads: int) -> None:
        """Allocate the memory for an image of this size and number of threads."""
        check_status(self._library.dctnet_scratch_reserve(self.handle, height, width, threads))

    def trim(self) -> None:
        """Release the memory to the system; the next call allocates it again."""
        self._library.dctnet_scratch_trim(self.handle)

    def profile(self) -> dict[str, float]:
        """Return the seconds of each stage of the last call."""
        seconds = (c_double * STAGES)()
        self._library.dctnet_profile(self.handle, seconds)
        return dict(zip(self._library.stages, seconds, strict=True))


class ScratchPool:
    """One `Scratch` for each concurrent call, shared by the generators of a process."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._lock = Lock()
        self._all: list[Scratch] = []
        self._free: list[Scratch] = []

    @contextmanager
    def borrow(self) -> Iterator[Scratch]:
        """Borrow the most recently returned scratch, or a new one if all are in use."""
        with self._lock:
            if self._free:
                scratch = self._free.pop()
            else:
                scratch = Scratch(self.library)
                self._all.append(scratch)
        try:
            yield scratch
        finally:
            with self._lock:
                self._free.append(scratch)

    @property
    def active_calls(self) -> int:
        """Number of calls in progress."""
        return len(self._all) - len(self._free)

    @property
    def nbytes(self) -> int:
        """Allocated bytes of all scratches."""
        with self._lock:
            return sum(scratch.nbytes for scratch in self._all)

    def trim(self) -> None:
        """Release the memory of the scratches that are not in use."""
        with self._lock:
            for scratch in self._free:
                scratch.trim()


class TransformedWeights:
    """Transformed weights of one generator, in memory that other weights can reuse.

    Raises MemoryError if there is not enough memory.
    """

    def __init__(self, library: Library, weights: Floats, epsilon: float) -> None:
        self.library = library
        self.handle = c_void_p()
        create = library.dctnet_model_create
        check_status(create(weights.ctypes.data, weights.size, epsilon, byref(self.handle)))

    def __del__(self) -> None:
        self.library.dctnet_model_destroy(self.handle)

    def replace(self, weights: Floats, epsilon: float) -> None:
        """Transform other weights into the same memory; no call may use it."""
        load = self.library.dctnet_model_load
        check_status(load(self.handle, weights.ctypes.data, weights.size, epsilon))


@dataclass(eq=False, slots=True)
class _CacheEntry:
    """Transformed weights of a generator, or the memory in which a call transforms them."""

    owner: "ref[NativeGenerator]"
    spare: TransformedWeights | None
    """Memory to reuse; None to allocate it."""
    weights: Future[TransformedWeights] = field(default_factory=Future)
    calls: int = 1
    """Number of calls that use or await the weights."""


class WeightCache:
    """LRU cache of transformed weights, which holds those of at most `capacity` generators.

    A generator is hot while the cache holds its transformed weights. A call of another generator
    transforms that one's weights, into the memory of the least recently used generator that no
    call uses. If calls use all of them, it waits. With the capacity None, memory is never reused.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.switches = 0
        """Number of transforms so far: calls of a generator that was not hot."""
        self._capacity: int | None = None
        self._changed = Condition(Lock())
        self._turn = Lock()
        """Held by a call that waits for memory, so that later calls do not overtake it."""
        self._entries: dict[ref[NativeGenerator], _CacheEntry] = {}
        """The least recently used first. Garbage collection removes entries at any moment, even
        in a thread that holds the locks: `_forget` takes none, and loops run over copies."""
        self.limit(capacity)

    def __len__(self) -> int:
        return len(self._entries)

    def limit(self, capacity: int | None) -> None:
        """Set the capacity; evict the least recently used generators beyond it."""
        if capacity is not None and capacity < 1:
            raise ValueError(f"The number of hot generators is at least 1, not {capacity}.")
        with self._changed:
            self._capacity = capacity
            self._evict_excess()
            self._changed.notify_all()

    def is_hot(self, generator: "NativeGenerator") -> bool:
        """Return whether the cache holds the generator's transformed weights."""
        with self._changed:
            entry = self._entries.get(ref(generator))
            return entry is not None and entry.weights.done()

    @contextmanager
    def borrow(self, generator: "NativeGenerator") -> Iterator[TransformedWeights]:
        """Borrow a generator's transformed weights; concurrent calls share them.

        The first of concurrent calls of a generator that is not hot transforms them, and the
        others wait for it. Raises MemoryError if there is not enough memory for them.
        """
        with self._turn, self._changed:
            while not (found := self._enter(generator)):
                self._changed.wait()
        entry, is_new = found
        try:
            if is_new:
                self._transform(generator, entry)
            yield entry.weights.result()
        finally:
            with self._changed:
                entry.calls -= 1
                self._evict_excess()
                self._changed.notify_all()
            # It keeps an error, whose traceback keeps this variable, and the memory of the call.
            del entry, found

    def _enter(self, generator: "NativeGenerator") -> tuple[_CacheEntry, bool] | None:
        """Count a call; return its entry and whether it is new, or None if no memory is free."""
        if entry := self._entries.get(ref(generator)):
            entry.calls += 1
            self._entries[entry.owner] = self._entries.pop(entry.owner)
            return entry, False
        spare = None
        if self._capacity is not None and len(self._entries) >= self._capacity:
            idle = self._least_recently_used()
            if idle is None:
                return None
            self._forget(idle.owner)
            spare = idle.weights.result()
            if spare.library is not generator.library:
                spare = None
        owner = ref(generator, self._forget)
        entry = self._entries[owner] = _CacheEntry(owner, spare)
        return entry, True

    def _transform(self, generator: "NativeGenerator", entry: _CacheEntry) -> None:
        try:
            weights = generator.transform(entry.spare)
        except BaseException as error:
            with self._changed:
                self._forget(entry.owner)
            entry.weights.set_exception(error)
            del entry  # As in `borrow`.
            raise
        with self._changed:
            self.switches += 1
        entry.weights.set_result(weights)

    def _least_recently_used(self) -> _CacheEntry | None:
        """Return the entry that is first to be evicted; None if calls use all."""
        return next((entry for entry in list(self._entries.values()) if not entry.calls), None)

    def _evict_excess(self) -> None:
        while self._capacity is not None and len(self._entries) > self._capacity:
            idle = self._least_recently_used()
            if idle is None:
                return
            self._forget(idle.owner)

    def _forget(self, owner: "ref[NativeGenerator]") -> None:
        self._entries.pop(owner, None)


weight_cache = WeightCache()
"""Cache of all generators of this process."""


def limit_hot_generators(count: int | None) -> None:
    """Limit how many generators of this process have transformed weights, of 40 MB each.

    None, the default, means unlimited. With a limit below the number of slots, calls may wait for
    each other. Set it before the first call.
    """
    weight_cache.limit(count)


def switches() -> int:
    """Return how often weights were transformed in this process."""
    return weight_cache.switches


class NativeGenerator:
    """A `Generator` that uses the CPU's vector instructions.

    A single call computes on `threads` threads, including the caller's. Concurrent calls share
    them, and each has at least one. The result is bit-identical for any number of threads.

    It keeps the untransformed weights, 5.9 MB, or 2.9 MB if float16 holds them exactly. A call
    borrows the transformed ones from `cache`.
    """

    def __init__(
        self,
        weights: Weights,
        scratch_pool: ScratchPool,
        threads: int = 1,
        cache: WeightCache | None = None,
    ) -> None:
        self.library = scratch_pool.library
        self.scratch_pool = scratch_pool
        self._threads = threads
        self._cache = weight_cache if cache is None else cache
        layers = [array.ravel() for name, array in weights.items() if name != EPSILON]
        self._weights = generator_weights.compact(np.concatenate(layers, dtype=np.float32))
        self._epsilon = float(weights[EPSILON])
        if self._weights.size != self.library.dctnet_weight_count():
            check_status(BAD_WEIGHTS)
        if not self._epsilon > 0:
            check_status(BAD_ARGUMENT)

    @property
    def is_hot(self) -> bool:
        """Whether the next call finds its transformed weights in the cache."""
        return self._cache.is_hot(self)

    def transform(self, spare: TransformedWeights | None) -> TransformedWeights:
        """Return the transformed weights, in the memory of `spare` if there is one."""
        weights = np.asarray(self._weights, np.float32)
        if spare is None:
            return TransformedWeights(self.library, weights, self._epsilon)
        spare.replace(weights, self._epsilon)
        return spare

    def __call__(self, image: Pixels, /) -> Pixels:
        """Return the cartoon of `image`, HxWx3 uint8 BGR, H and W multiples of 4."""
        with self.scratch_pool.borrow() as scratch:
            threads = max(1, self._threads // self.scratch_pool.active_calls)
            return self.generate_in(scratch, image, threads)

    def has_spare_thread(self) -> bool:
        """Whether calls in progress and the next one leave a thread: each has at least one."""
        return self.scratch_pool.active_calls + 1 < self._threads

    def require_memory(self, calls: int, height: int, width: int) -> None:
        """Take the memory of `calls` concurrent calls with images of this size, and free it."""
        with ExitStack() as stack, ThreadPoolExecutor(calls) as pool:
            lent = [stack.enter_context(self.scratch_pool.borrow()) for _ in range(calls)]
            stack.callback(self._trim, lent)
            for _ in pool.map(lambda scratch: scratch.reserve(height, width, self._threads), lent):
                pass

    @staticmethod
    def _trim(scratches: Sequence[Scratch]) -> None:
        for scratch in scratches:
            scratch.trim()

    def generate(self, image: Pixels, threads: int) -> Pixels:
        """Return the cartoon, computed on `threads` threads."""
        with self.scratch_pool.borrow() as scratch:
            return self.generate_in(scratch, image, threads)

    def generate_in(self, scratch: Scratch, image: Pixels, threads: int) -> Pixels:
        """Return the cartoon, computed in the given memory."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"An image is HxWx3 uint8, not {image.shape} {image.dtype}.")
        source = np.ascontiguousarray(image)
        cartoon: Pixels = np.empty_like(source)
        height, width, _ = source.shape
        draw = self.library.dctnet_draw
        pixels = source.ctypes.data_as(POINTER(c_uint8)), cartoon.ctypes.data_as(POINTER(c_uint8))
        with self._cache.borrow(self) as weights:
            check_status(draw(weights.handle, scratch.handle, *pixels, height, width, threads))
        return cartoon
