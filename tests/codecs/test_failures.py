"""A codec process that ends or hangs costs one image, and is replaced."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import unpack
from termios import TIOCOUTQ

import numpy as np
import pytest

from dctnet.arrays import Pixels
from dctnet.codecs import launching, messages
from dctnet.codecs.errors import CodecKilled, CodecTimeout, CodecUnavailable, FailureReason
from dctnet.codecs.pool import SEND_TRIES, Codec, CodecPool
from dctnet.imaging import DamagedImage, decode, inspect
from tests.codecs.conftest import TIMEOUT_S, end
from tests.support import formats, vp8l
from tests.support.admission import in_background
from tests.support.corpus import MAX_PIXELS
from tests.support.encoded_images import encoded, gradient
from tests.support.polling import BOUND_S, until
from tests.support.process import has_exited, state
from tests.support.repo import environment

IMAGE = encoded(gradient(40, 24))


def decoded(codec: Codec, data: bytes = IMAGE, timeout: float = TIMEOUT_S) -> Pixels:
    return codec.decode(data, inspect(data, MAX_PIXELS), timeout)


def require_usable(pool: CodecPool) -> None:
    with pool.borrow() as codec:
        rgb = decoded(codec).copy()
        assert np.array_equal(rgb, decode(IMAGE, MAX_PIXELS))
        assert np.array_equal(decode(codec.encode(rgb, "png", TIMEOUT_S), MAX_PIXELS), rgb)


def stopped_with_request(codec: Codec, timeout: float = TIMEOUT_S) -> Future[Pixels]:
    """Stop the process, and send it an image that it does not read."""
    os.kill(codec.pid, signal.SIGSTOP)
    until(lambda: state(codec.pid) == "T")
    future = in_background(lambda: decoded(codec, timeout=timeout))
    if timeout == TIMEOUT_S:
        until(lambda: unread_bytes(codec) > 0)
    return future


def unread_bytes(codec: Codec) -> int:
    assert codec._sock is not None
    (count,) = unpack("i", ioctl(codec._sock, TIOCOUTQ, bytes(4)))
    return int(count)


@pytest.mark.promise("Input: an image that crashes or hangs a decoder costs only its own request")
@pytest.mark.parametrize(
    ("number", "error", "reason"),
    [
        (signal.SIGKILL, CodecKilled, FailureReason.KILLED),
        (signal.SIGSEGV, DamagedImage, FailureReason.CRASH),
        (signal.SIGABRT, DamagedImage, FailureReason.CRASH),
        (signal.SIGXCPU, DamagedImage, FailureReason.CPU),
    ],
)
def test_process_that_ends_is_replaced(pool, failures, number, error, reason):
    before = failures.copy()
    with pool.borrow() as codec:
        pid = codec.pid
        future = stopped_with_request(codec)
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        with pytest.raises(error):
            future.result(BOUND_S)
    assert failures - before == Counter([reason])
    assert codec.pid != pid
    require_usable(pool)


@pytest.mark.promise("Input: an image that crashes or hangs a decoder costs only its own request")
def test_process_that_hangs_is_replaced(pool, failures):
    before = failures.copy()
    with pool.borrow() as codec:
        pid = codec.pid
        with pytest.raises(CodecTimeout):
            stopped_with_request(codec, timeout=0.05).result(BOUND_S)
    assert failures - before == Counter([FailureReason.TIMEOUT])
    assert not Path(f"/proc/{pid}").exists()
    require_usable(pool)


def test_process_that_ends_while_idle_costs_no_image(pool, failures):
    before = failures.copy()
    with pool.borrow() as codec:
        for _ in range(3):
            end(codec.pid)
            assert decoded(codec).shape == (40, 24, 3)
    assert failures == before


def test_launcher_that_ends_is_replaced_with_its_processes(pool, failures):
    before = failures.copy()
    with pool.borrow() as codec:
        pid = codec.pid
        os.kill(launcher_of(codec), signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists())
        assert decoded(codec).shape == (40, 24, 3)
    assert failures == before
    require_usable(pool)


def test_launcher_that_hangs_is_replaced(pool, failures, monkeypatch):
    monkeypatch.setattr(launching, "REPLY_TIMEOUT_S", 0.2)
    before = failures.copy()
    with pool.borrow() as codec:
        launcher = launcher_of(codec)
        os.kill(launcher, signal.SIGSTOP)
        end(codec.pid)
        assert decoded(codec).shape == (40, 24, 3)
        assert not Path(f"/proc/{launcher}").exists()
    assert failures == before
    require_usable(pool)


def test_process_that_cannot_be_started_is_a_lack_of_memory(pool, failures, monkeypatch):
    before = failures.copy()
    with pool.borrow() as codec:
        end(codec.pid)
        with monkeypatch.context() as patch:
            patch.setattr(launching.sys, "executable", "/bin/false")
            os.kill(launcher_of(codec), signal.SIGKILL)
            with pytest.raises(CodecUnavailable, match="could not be started: its launcher"):
                decoded(codec)
    assert failures - before == Counter([FailureReason.UNAVAILABLE])
    require_usable(pool)


@pytest.mark.parametrize("ending", [SEND_TRIES - 2, SEND_TRIES - 1])
def test_processes_that_end_as_soon_as_they_have_started(pool, failures, monkeypatch, ending):
    before = failures.copy()
    start = Codec.start
    endings = iter(range(ending))

    def start_and_end(codec: Codec) -> tuple[str, ...]:
        restrictions = start(codec)
        if next(endings, None) is not None:
            end(codec.pid)
        return restrictions

    with pool.borrow() as codec:
        end(codec.pid)
        monkeypatch.setattr(Codec, "start", start_and_end)
        if ending < SEND_TRIES - 1:
            assert decoded(codec).shape == (40, 24, 3)
        else:
            with pytest.raises(CodecUnavailable, match="as soon as it had started"):
                decoded(codec)
    lost = [FailureReason.UNAVAILABLE] if ending == SEND_TRIES - 1 else []
    assert failures - before == Counter(lost)
    require_usable(pool)


def launcher_of(codec: Codec) -> int:
    return int(Path(f"/proc/{codec.pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_image_that_takes_too_much_memory_is_rejected(pool, failures):
    """Of 12 KiB for each of 61,504 Huffman codes, which libwebp calls damaged."""
    before = failures.copy()
    with pool.borrow() as codec, pytest.raises(DamagedImage):
        decoded(codec, vp8l.lossless(992, 2, 248 * 248))
    assert failures == before
    require_usable(pool)


def test_image_that_takes_too_much_time_is_rejected(pool, failures):
    before = failures.copy()
    references = formats.reference(b"dimg", 1, *range(2, 60_000))
    image = formats.av1(encoded(gradient(40, 24), "AVIF"), 24, 40)
    slow = formats.avif([image], references)
    with pool.borrow() as codec, pytest.raises(DamagedImage, match="more time to decode"):
        decoded(codec, slow)
    assert failures - before == Counter([FailureReason.CPU])
    require_usable(pool)


@pytest.mark.parametrize(
    "reply",
    [
        b"junk",
        b"[1]",
        b"{",
        b"{}",
        b'{"height": 40}',
        b'{"height": 40, "width": "24"}',
        b'{"height": -40, "width": -24}',
        b'{"height": 0, "width": 24}',
        b'{"height": 24, "width": 24}',
        b'{"height": 1e3, "width": 0.96}',
        b'{"height": 1001, "width": 1000}',
        b'{"error": ["DamagedImage"]}',
        b"9" * 5000,
        b"[" * 9999,
    ],
)
def test_reply_that_is_none_is_a_crash(pool, failures, reply):
    before = failures.copy()
    crash = pytest.raises(DamagedImage, match="a decoder crashed")
    with pool.borrow() as codec, impersonated(codec, reply), crash:
        decoded(codec)
    assert failures - before == Counter([FailureReason.CRASH])
    require_usable(pool)


@pytest.mark.parametrize(
    "reply", [b"{}", b'{"length": -1}', b'{"length": 0}', b'{"length": 99999999999}']
)
def test_length_of_no_cartoon_is_a_crash(pool, failures, reply):
    before = failures.copy()
    crash = pytest.raises(RuntimeError, match="could not be encoded")
    with pool.borrow() as codec, impersonated(codec, reply), crash:
        codec.encode(gradient(4, 4), "png", TIMEOUT_S)
    assert failures - before == Counter([FailureReason.CRASH])
    require_usable(pool)


def test_long_or_unprintable_error_of_a_process_reaches_no_client(pool):
    with pool.borrow() as codec:
        for detail, error in (("x" * 2000, DamagedImage), ("\\u001b[2J", RuntimeError)):
            reply = f'{{"error": "DamagedImage", "detail": "{detail}"}}'.encode()
            with impersonated(codec, reply), pytest.raises(error) as raised:
                decoded(codec)
            if error is DamagedImage:
                assert len(str(raised.value)) == 500


@contextmanager
def impersonated(codec: Codec, reply: bytes) -> Iterator[None]:
    """Connect a codec to this test, which sends the reply, instead of to its process."""
    theirs, ours = messages.pair()
    assert codec._sock is not None
    codec._sock.close()
    codec._sock = theirs
    ours.send(reply)
    with ours:
        yield


PARENT = """
import sys, time
from dctnet.codecs.pool import CodecPool
pool = CodecPool(2, max_body_bytes=1000, max_pixels=1000)
pool.start()
pool.prepare()
print(pool._launcher._process.pid, *(codec.pid for codec in pool._idle), flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("stop", [False, True])
def test_no_process_outlives_the_server(stop):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 3
    if stop:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.wait(BOUND_S)
    parent.stdout.close()
    until(lambda: all(map(has_exited, pids)), "processes are left")
