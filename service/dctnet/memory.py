"""Memory limit of a replica, derived from its settings.

The chart's memory limit and that of Docker Compose are this bound, and tests compare them with it.
`benchmarks/slot_memory.py` measures what a slot takes. It needs no package but this one.
"""

from math import inf
from typing import TYPE_CHECKING, Final

from dctnet.units import KIB, MIB

if TYPE_CHECKING:
    from dctnet.config import Settings
from dctnet.shared_limits import SPARE_THREADS

PROCESS_BYTES: Final = 320 * MIB
"""Gunicorn's arbiter and worker with a model, before slots are reserved: 185 MiB, the launcher of
codec processes: 20 MiB, and kernel memory of idle connections."""

STYLE_BYTES: Final = 15 * MIB
"""Per further style: the untransformed weights of two generators, 12 MB."""

HOT_STYLE_BYTES: Final = 90 * MIB
"""Per further style whose weights are kept transformed. With ONNX Runtime all styles are."""

TENSORFLOW_PROCESS_BYTES: Final = 3000 * MIB
"""The same with the TensorFlow runtime, whose own allocations it includes."""

RESERVED_BYTES_PER_COLUMN: Final = 92 * KIB
"""Per slot and pixel of the longest working side: the generator's feature maps. A replica takes and
frees them when it starts, and keeps them from its first images on. The short side has at most 720
pixels."""

RESERVED_BYTES_PER_THREAD: Final = MIB
"""Per slot and thread of the networks, likewise."""

SLOT_BYTES: Final = 116 * MIB
"""Per slot, for any image: decoder tables, 72 MiB, or later the face networks with 30 MiB; and the
codec process, 12 MiB and what it may leave behind, 32 MiB."""

SLOT_BYTES_PER_COLUMN: Final = 24 * KIB
"""Per slot and pixel of the longest working side: the image and its cartoon at working size."""

SLOT_BYTES_PER_PIXEL: Final = 14
"""Per slot and pixel of the largest image, in the most expensive stage: decoding a progressive
JPEG, which takes 11 beside the image's 3. Inference takes 6 and encoding 13. Decoding the largest
AVIF and HEIC could take more, and is limited to this."""

KEPT_ALPHA_FACTOR: Final = 4
"""An image whose transparency is kept takes memory like this number of opaque ones of its size:
libwebp takes up to 38 bytes per pixel to encode alpha."""

SLOT_BODIES: Final = 5
"""Bodies per slot: the upload, its copy in shared memory, the codec process's, and two that
decoders make."""

THREAD_BYTES: Final = 100 * KIB
"""Per request thread: its stacks, and the request that it reads."""

RESPONSE_BYTES_PER_10_PIXELS: Final = 31
"""The largest response: a PNG of noise is larger than its pixels, which have 3 bytes each."""


def reserved_bytes(settings: "Settings", network_threads: int) -> int:
    """Return the bytes that a slot takes at start, and keeps from its first images on."""
    return (
        RESERVED_BYTES_PER_COLUMN * settings.max_working_side
        + RESERVED_BYTES_PER_THREAD * network_threads
    )


def slot_bytes(settings: "Settings") -> int:
    """Return the most bytes that a slot takes beyond its reservation."""
    return (
        SLOT_BYTES
        + SLOT_BYTES_PER_COLUMN * settings.max_working_side
        + SLOT_BYTES_PER_PIXEL * settings.max_pixels
        + SLOT_BODIES * settings.max_body_bytes
    )


def unsent_bytes(settings: "Settings") -> int:
    """Return the most bytes of unread responses; one response is always allowed."""
    largest = RESPONSE_BYTES_PER_10_PIXELS * settings.max_pixels // 10
    return max(settings.max_unsent_bytes, largest)


def memory_bound(
    settings: "Settings",
    network_threads: int,
    *,
    styles: int = 1,
    hot_styles: int = 1,
    tensorflow: bool = False,
) -> int:
    """Return the most memory that a replica with these settings takes, in bytes.

    A body counts in `max_waiting_bytes` until a slot takes it, then in `SLOT_BODIES`. While it is
    read it takes its own size, also in a form: buffers grow by mremap.

    `network_threads` is how many threads one image's networks may use. Of the `styles`, the weights
    of `hot_styles` are kept transformed.
    """
    admitted = settings.slots + settings.queue_size + settings.max_uploads
    return (
        (TENSORFLOW_PROCESS_BYTES if tensorflow else PROCESS_BYTES)
        + (styles - 1) * STYLE_BYTES
        + (min(hot_styles, styles) - 1) * HOT_STYLE_BYTES
        + settings.slots * (reserved_bytes(settings, network_threads) + slot_bytes(settings))
        + settings.max_waiting_bytes
        + (admitted + SPARE_THREADS) * THREAD_BYTES
        + unsent_bytes(settings)
    )


def hot_styles(settings: "Settings", network_threads: int, styles: int, limit: float) -> int:
    """Return how many styles' weights are kept transformed, by setting or by the memory limit.

    `limit` is the memory limit in bytes, infinite without one: then there are as many as slots. A
    slot never waits for another's style: there is at least one per slot.
    """
    count: float = 1
    if settings.style_cache is not None:
        count = settings.style_cache
    elif limit < inf:
        least = memory_bound(settings, network_threads, styles=styles)
        count += max(0, limit - least) / HOT_STYLE_BYTES
    return int(min(max(count, settings.slots), styles))
