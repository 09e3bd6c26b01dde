"""Codec processes as the server sees them: one per slot, replaced when an image ends one."""

import mmap
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, fcntl
from socket import socket
from types import TracebackType

import numpy as np

from dctnet.arrays import Pixels
from dctnet.cartoon_options import WHITE, Colour
from dctnet.codecs import messages
from dctnet.codecs.errors import CodecKilled, CodecTimeout, CodecUnavailable, FailureReason
from dctnet.codecs.launching import REPLY_TIMEOUT_S, Launcher
from dctnet.codecs.layout import Layout
from dctnet.codecs.messages import Message
from dctnet.imaging import (
    DamagedImage,
    Format,
    ImageError,
    ImageHeader,
    TooLongForFormat,
    TooManyPixels,
    UnsupportedFormat,
)

SEND_TRIES = 3
"""Most processes to which a request is sent, if each has ended before it."""

_IMAGE_ERRORS: dict[str, type[ImageError]] = {
    error.__name__: error
    for error in (DamagedImage, TooLongForFormat, TooManyPixels, UnsupportedFormat)
}

_BY_SIGNAL: dict[int, FailureReason] = {
    signal.SIGXCPU: FailureReason.CPU,
    signal.SIGKILL: FailureReason.KILLED,
}
"""Why a process ended, by the signal that ended it; else it crashed."""


class CodecPool:
    """The codec processes of a replica, and the launcher that forks them."""

    def __init__(
        self,
        processes: int,
        *,
        max_body_bytes: int,
        max_pixels: int,
        heic: bool = False,
        launcher: Launcher | None = None,
        count_failure: Callable[[FailureReason], None] = lambda _: None,
    ) -> None:
        """Take the limits of an image, and whether it may be a HEIC. Nothing starts yet.

        ``launcher`` may be started already.
        """
        self._processes = processes
        self._layout = Layout(max_body_bytes, max_pixels)
        self._count_failure = count_failure
        self._launcher = launcher or Launcher(heic=heic)
        self._idle: list[Codec] = []
        self.restrictions: tuple[str, ...] = ()
        """What restricts the processes, once prepared."""

    def __enter__(self) -> "CodecPool":
        self.start()
        self.prepare()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the launcher, without waiting until it has imported the codecs."""
        self._launcher.start()

    def prepare(self) -> None:
        """Start the processes, once, and wait for them; raise CodecUnavailable."""
        while len(self._idle) < self._processes:
            codec = Codec(self._launcher, self._layout, self._count_failure)
            self.restrictions = codec.start()
            self._idle.append(codec)

    def describe(self) -> str:
        """Return the number of processes and what restricts them, in a few words."""
        if not self.restrictions:
            return "not started yet"
        processes = "1 process" if self._processes == 1 else f"{self._processes} processes"
        return f"{processes}, restricted by {' and '.join(self.restrictions)}"

    def stop(self) -> None:
        """End all processes."""
        self._launcher.stop()
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def borrow(self) -> Iterator["Codec"]:
        """Lend a codec for one image; there must be one for each concurrent caller.

        Its memory is freed, and a process that has ended is replaced, when it is given back.
        """
        codec = self._idle.pop()
        try:
            yield codec
        finally:
            codec.clear()
            self._idle.append(codec)


class Codec:
    """A codec process and the memory that it shares with the server."""

    def __init__(
        self, launcher: Launcher, layout: Layout, count_failure: Callable[[FailureReason], None]
    ) -> None:
        self._launcher = launcher
        self._layout = layout
        self._count_failure = count_failure
        self._key = -1
        self._sock: socket | None = None
        self._is_worn = False
        self._alpha: tuple[int, int] | None = None
        self._descriptor = os.memfd_create("dctnet-image", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._descriptor, layout.size)
        # A process that shrinks it would crash the server.
        fcntl(self._descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
        self._memory = mmap.mmap(self._descriptor, layout.size)
        self.pid = 0
        """ID of the process, or of the last one."""

    @property
    def is_running(self) -> bool:
        """Whether the process has not failed."""
        return self._sock is not None

    def start(self) -> tuple[str, ...]:
        """Start the process and return what restricts it; raise CodecUnavailable."""
        self._key, self.pid, sock = self._launcher.launch(self._descriptor, self._layout)
        sock.settimeout(REPLY_TIMEOUT_S)
        try:
            restrictions = messages.receive(sock)["sandbox"]
        except (OSError, EOFError, ValueError) as error:
            sock.close()
            self._launcher.kill(self._key)
            raise CodecUnavailable("A codec process was started but does not answer.") from error
        self._sock, self._is_worn = sock, False
        return tuple(restrictions)

    def decode(
        self,
        data: bytes,
        header: ImageHeader,
        timeout: float,
        reduction: int = 1,
        background: Colour | None = WHITE,
    ) -> Pixels:
        """Decode an image, as ``imaging.decode`` does, within ``timeout`` seconds.

        The result is in shared memory, and valid until the codec is given back or its cartoon is
        written there. Without a background, the image is composited on white, and ``encode`` gives
        its cartoon the same transparency.

        Raises:
            ImageError: As ``imaging.decode``.
            DamagedImage: It crashed a library, or took more CPU time or memory than any image of
                its size should.
            MemoryError: There is not enough memory.
            CodecTimeout: It took longer.
            CodecUnavailable: The process had ended, and no other could be started.
        """
        self._memory[: len(data)] = data
        pixels = header.width * header.height
        request = {"format_in": header.format, "length": len(data), "pixels": pixels}
        reply = self._ask(request | {"reduction": reduction, "background": background}, timeout)
        height, width = header.height // reduction, header.width // reduction
        if (reply.get("height"), reply.get("width")) != (height, width):
            raise self._failed(FailureReason.CRASH)
        self._alpha = (height, width) if background is None and reply.get("alpha") else None
        image = self.allocate((height, width, 3))
        image.flags.writeable = False
        return image

    def allocate(self, shape: tuple[int, int, int]) -> Pixels:
        """Return shared memory of a shape for a cartoon, from the start of the decoded image on."""
        return self._layout.image(self._memory, shape)

    def encode(self, image: Pixels, format: Format, timeout: float) -> bytes:
        """Encode HxWx3 uint8 RGB, as ``imaging.encode`` does, within ``timeout`` seconds.

        Overwrites an image in the shared memory.

        Raises MemoryError, CodecTimeout and CodecUnavailable as ``decode`` does, and RuntimeError
        if an encoder crashed.
        """
        height, width, _ = image.shape
        np.copyto(self.allocate((height, width, 3)), image)  # Nothing, if it is there already.
        try:
            request = {"format_out": format, "height": height, "width": width}
            reply = self._ask(request | {"alpha": self._alpha}, timeout)
        except ImageError as error:
            raise RuntimeError("The cartoon could not be encoded.") from error
        length = reply.get("length")
        start = self._layout.encoded
        if not isinstance(length, int) or not 0 < length <= self._layout.size - start:
            raise RuntimeError("The cartoon could not be encoded.") from self._failed(
                FailureReason.CRASH
            )
        return self._memory[start : start + length]

    def clear(self) -> None:
        """Free the shared memory; replace the process if it has ended."""
        with suppress(OSError):  # The pages are used again where they cannot be freed.
            self._memory.madvise(mmap.MADV_REMOVE)
        if self._is_worn:
            self._bury()
        if self._sock is None:
            with suppress(CodecUnavailable):  # The next image tries again.
                self.start()

    def close(self) -> None:
        """Disconnect from the process, which then ends, and free the memory."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        os.close(self._descriptor)
        with suppress(BufferError):  # An image still refers to it.
            self._memory.close()

    def _ask(self, request: Message, timeout: float) -> Message:
        """Return the reply; raise the error that it names, or for which there is none."""
        try:
            sock = self._send(request)
        except CodecUnavailable:
            self._count_failure(FailureReason.UNAVAILABLE)
            raise
        sock.settimeout(max(timeout, 0.001))
        try:
            reply = messages.receive(sock)
        except TimeoutError:
            self._failed(FailureReason.TIMEOUT)
            raise CodecTimeout from None
        except (EOFError, OSError) as error:
            raise self._failed(None) from error
        except ValueError as error:
            raise self._failed(FailureReason.CRASH) from error
        self._is_worn = reply.get("worn") is True
        self._raise_error(reply)
        return reply

    def _send(self, request: Message) -> socket:
        """Send a request; to a new process, if that has ended since the last image."""
        for _ in range(SEND_TRIES):
            if self._sock is None:
                self.start()
            assert self._sock is not None
            with suppress(OSError):
                messages.send(self._sock, request)
                return self._sock
            self._bury()
        raise CodecUnavailable("A codec process ended as soon as it had started.")

    def _failed(self, reason: FailureReason | None) -> Exception:
        """End the process, count the failure, and return its error.

        Without a reason it is that for which the process has ended.
        """
        status = self._bury()
        if reason is None:
            ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            reason = _BY_SIGNAL.get(ended_by, FailureReason.CRASH)
        self._count_failure(reason)
        if reason is FailureReason.KILLED:
            return CodecKilled("A codec process was killed, probably for lack of memory.")
        if reason is FailureReason.CPU:
            return DamagedImage("The image takes more time to decode than any of its size should.")
        return DamagedImage("The image is damaged: a decoder crashed on it.")

    def _raise_error(self, reply: Message) -> None:
        """Raise the error of a reply, if it has one; its texts are not trusted."""
        name, detail = reply.get("error"), str(reply.get("detail", ""))
        if name is None:
            return
        if name == "MemoryError":
            raise MemoryError("There is not enough memory for the image.")
        if not isinstance(name, str):
            raise self._failed(FailureReason.CRASH)
        if name in _IMAGE_ERRORS and detail.isprintable():
            raise _IMAGE_ERRORS[name](detail[:MAX_DETAIL_LENGTH])
        raise RuntimeError(f"The codec process failed: {detail}")

    def _bury(self) -> int:
        """End the process and return its wait status."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        return self._launcher.kill(self._key)


MAX_DETAIL_LENGTH = 500
"""Most characters of an error message that a process sends."""
