"""Codec process: decodes and encodes one image at a time, in shared memory.

It runs untrusted input in C libraries, so it is sandboxed, and nothing it says is trusted.
"""

import gc
import mmap
import os
import resource
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import ceil
from time import process_time
from typing import Final, get_args

from dctnet.arrays import Pixels
from dctnet.cartoon_options import WHITE
from dctnet.codecs import messages, sandbox
from dctnet.codecs.layout import Layout
from dctnet.codecs.messages import Message
from dctnet.imaging import (
    DECODE_BYTES_PER_BODY_BYTE,
    DECODE_BYTES_PER_PIXEL,
    DECODE_FIXED_BYTES,
    ENCODE_BYTES_PER_PIXEL,
    DamagedImage,
    ImageError,
    InputFormat,
    can_reserve,
    decode,
    encode,
)
from dctnet.memory import KEPT_ALPHA_FACTOR, SLOT_BYTES_PER_PIXEL

STDERR: Final = 2

RGB_BYTES: Final = 3
"""Bytes of a decoded pixel, in shared memory."""

DECODE_CPU_S: Final = 1.0
"""CPU seconds that any image may take to decode; the kernel rounds up."""

DECODE_CPU_S_PER_MEGAPIXEL: Final = 0.5
"""Additional CPU seconds per megapixel. The slowest photos take 0.05."""

SPARE_BYTES: Final = 32 * 1024 * 1024
"""Address space that images may leave behind, by fragmentation, before the process is replaced."""


def run(sock: socket.socket, memory_descriptor: int, layout: Layout, *, heic: bool) -> None:
    """Serve requests until the other end of the socket is closed."""
    memory = mmap.mmap(memory_descriptor, layout.size)
    os.close(memory_descriptor)
    # Libraries print warnings about images.
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)
    codec = _Codec(memory, layout)
    # libde265 decodes in a thread, for which there is no option.
    messages.send(sock, {"sandbox": sandbox.enter(threads=heic)})
    while True:
        try:
            request = messages.receive(sock)
        except EOFError:
            return
        reply = codec.respond(request)
        messages.send(sock, reply | {"worn": codec.is_worn()})


class _Codec:
    def __init__(self, memory: mmap.mmap, layout: Layout) -> None:
        self._memory = memory
        self._layout = layout
        self._has_alpha = False
        # Opened before files are forbidden.
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self._base_bytes = self._address_space() + SPARE_BYTES

    def _address_space(self) -> int:
        return int(os.pread(self._statm, 256, 0).split()[0]) * mmap.PAGESIZE

    def is_worn(self) -> bool:
        """Whether images have left more than the spare memory: another's might be missing."""
        if self._address_space() > self._base_bytes:
            gc.collect()
        return self._address_space() > self._base_bytes

    def respond(self, request: Message) -> Message:
        """Decode or encode, and return the result's size or the error."""
        try:
            if "format_in" in request:
                return self._decode(request)
            return self._encode(request)
        except ImageError as error:
            return {"error": type(error).__name__, "detail": str(error)}
        except MemoryError:
            return {"error": "MemoryError"}
        except Exception:
            return {"error": "Exception", "detail": traceback.format_exc()[-4096:]}

    def _decode(self, request: Message) -> Message:
        length, pixels = request["length"], request["pixels"]
        self._has_alpha = False
        data = self._memory[:length]
        self._free(0, self._layout.pixels)
        cpu_s = DECODE_CPU_S + DECODE_CPU_S_PER_MEGAPIXEL * pixels / 1e6
        format, max_pixels = request["format_in"], self._layout.max_pixels
        needed = decode_bytes(format, pixels, length, max_pixels)
        try:
            with self._limited(needed, cpu_s):
                rgb = decode(
                    data,
                    max_pixels,
                    self._image,
                    request["reduction"],
                    heic=format == "HEIC",
                    background=tuple(request["background"] or WHITE),
                    allocate_alpha=None if request["background"] else self._allocate_alpha,
                )
        except (DamagedImage, MemoryError) as error:
            # Libraries report failed allocations like damaged data.
            if not can_reserve(needed):
                raise MemoryError from error
            if pixels > (certain := certain_pixels(format, max_pixels)):
                raise DamagedImage(
                    "The image is damaged, or takes more memory to decode than the server allows;"
                    f" any {format} of at most {certain} pixels fits."
                ) from error
            if isinstance(error, MemoryError):
                raise DamagedImage(
                    "The image takes more memory to decode than any of its size should."
                ) from error
            raise
        return {"height": rgb.shape[0], "width": rgb.shape[1], "alpha": self._has_alpha}

    def _encode(self, request: Message) -> Message:
        height, width = request["height"], request["width"]
        format, start = request["format_out"], self._layout.encoded
        free = partial(self._free, self._layout.pixels, start)
        needed = ENCODE_BYTES_PER_PIXEL[format] * height * width
        alpha = None
        if request["alpha"]:
            needed *= KEPT_ALPHA_FACTOR
            alpha = self._layout.alpha_of(self._memory, tuple(request["alpha"]))
        try:
            with self._limited(needed, cpu_s=None):
                encoded = encode(self._image((height, width, 3)), format, free, alpha)
        except Exception as error:
            # Libraries report failed allocations like other errors.
            if not can_reserve(needed):
                raise MemoryError from error
            raise
        self._memory[start : start + len(encoded)] = encoded
        return {"length": len(encoded)}

    def _image(self, shape: tuple[int, int, int]) -> Pixels:
        return self._layout.image(self._memory, shape)

    def _allocate_alpha(self, shape: tuple[int, int]) -> Pixels:
        self._has_alpha = True
        return self._layout.alpha_of(self._memory, shape)

    def _free(self, start: int, end: int) -> None:
        """Free shared memory, from one offset to another."""
        with suppress(OSError):  # It stays used where it cannot be freed.
            self._memory.madvise(mmap.MADV_REMOVE, start, end - start)

    @contextmanager
    def _limited(self, needed_bytes: int, cpu_s: float | None) -> Iterator[None]:
        """Limit address space and CPU time. Exceeding the latter ends the process."""
        with _soft_limit(resource.RLIMIT_AS, self._base_bytes + needed_bytes):
            if cpu_s is None:
                yield
                return
            with _soft_limit(resource.RLIMIT_CPU, ceil(process_time() + cpu_s)):
                yield


def decode_bytes(format: InputFormat, pixels: int, length: int, max_pixels: int) -> int:
    """Return the most memory that decoding may take, in bytes, beside what is shared.

    That is what the format needs, within the slot's share of the memory bound.
    """
    if format not in get_args(InputFormat):
        raise ValueError(format)
    slot = SLOT_BYTES_PER_PIXEL * max_pixels - RGB_BYTES * pixels
    return (
        DECODE_FIXED_BYTES
        + min(DECODE_BYTES_PER_PIXEL[format] * pixels, slot)
        + (1 + DECODE_BYTES_PER_BODY_BYTE) * length
    )


def certain_pixels(format: InputFormat, max_pixels: int) -> int:
    """Return the most pixels of which any image of this format can be decoded."""
    per_pixel = DECODE_BYTES_PER_PIXEL[format] + RGB_BYTES
    return min(max_pixels, SLOT_BYTES_PER_PIXEL * max_pixels // per_pixel)


@contextmanager
def _soft_limit(kind: int, limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(kind, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))
