"""Log writer: never blocks, drops only whole lines, and counts them."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from dctnet.log_writer import FLUSH_TIMEOUT_S, QUEUE_BYTES, LineStream, LogWriter
from tests.support.polling import BOUND_S, until


def notice(number: int) -> str:
    return f"dropped {number}"


class Pipe:
    """The pipe of a process that reads the log."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self._log_writers: list[LogWriter] = []

    def log_writer(self) -> LogWriter:
        self._log_writers.append(LogWriter(self.writer, notice))
        return self._log_writers[-1]

    def fill(self) -> int:
        """Fill it, and return how many bytes it took."""
        os.set_blocking(self.writer, False)
        size = 0
        try:
            while True:
                size += os.write(self.writer, b"\n" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writer, True)
            return size

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += os.read(self.reader, size - len(data))
        return data

    def close(self) -> None:
        os.close(self.reader)
        for writer in self._log_writers:
            writer.flush(BOUND_S)  # Or it would write to the next file with this descriptor.
        os.close(self.writer)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_lines_are_written_in_order(pipe):
    writer = pipe.log_writer()
    lines = [f"line {number}\n".encode() for number in range(1000)]
    for line in lines:
        writer.write(line)
    writer.flush(BOUND_S)
    assert pipe.read(len(b"".join(lines))) == b"".join(lines)
    assert writer.dropped == 0


@pytest.mark.alone
def test_full_pipe_does_not_block_and_queue_holds_its_limit(pipe):
    size = pipe.fill()
    writer = pipe.log_writer()
    line = b"x" * 1023 + b"\n"
    for _ in range(QUEUE_BYTES // len(line)):
        writer.write(line)
    assert writer.dropped == 0
    writer.write(b"\n")
    assert writer.dropped == 1
    started = time.monotonic()
    writer.flush(0.01)
    assert time.monotonic() - started < FLUSH_TIMEOUT_S
    # Once it is read, all kept lines arrive whole, with the number of dropped ones.
    assert pipe.read(size) == b"\n" * size
    got = pipe.read(QUEUE_BYTES + len(b"dropped 1\n")).splitlines(keepends=True)
    assert got.count(line) == QUEUE_BYTES // len(line)
    assert got.count(b"dropped 1\n") == 1


def test_drops_continue_until_half_the_queue_is_free(pipe):
    size = pipe.fill()
    writer = pipe.log_writer()
    line = b"x" * 1023 + b"\n"
    for _ in range(QUEUE_BYTES // len(line) + 1):
        writer.write(line)
    pipe.read(size)
    # The pipe has taken a small part of the queue.
    until(lambda: writer._queued_bytes <= QUEUE_BYTES - size + 4096)
    writer.write(line)
    assert writer.dropped == 2
    pipe.read(QUEUE_BYTES // 2 + 4096)
    until(lambda: not writer._is_full)
    writer.write(line)
    assert writer.dropped == 2


def test_concurrent_lines_are_whole_and_counted(pipe):
    writer = pipe.log_writer()
    stream = LineStream(lambda text: writer.write(text.encode()), pipe.writer)
    got: list[bytes] = []

    def read() -> None:
        with os.fdopen(os.dup(pipe.reader), "rb") as reader:
            while (line := reader.readline()) != b"end\n":
                got.append(line)

    def write(name: int) -> None:
        for number in range(500):
            print(name, number, "x" * (number * 13 % 5000), file=stream)

    reader = threading.Thread(target=read)
    reader.start()
    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush(BOUND_S)
    writer.write(b"end\n")
    reader.join()
    kept = [line for line in got if not line.startswith(b"dropped")]
    announced = sum(int(line.split()[1]) for line in got if line.startswith(b"dropped"))
    assert len(kept) + writer.dropped == 8 * 500
    assert announced == writer.dropped
    for line in kept:
        _, number, text = line.split(b" ")
        assert text == b"x" * (int(number) * 13 % 5000) + b"\n"


@pytest.mark.parametrize("how", ["closed", "no reader", "no space"])
def test_lines_rejected_by_the_system_are_counted_and_reported_later(tmp_path, how):
    pipe = Pipe()
    writer = LogWriter(pipe.writer, notice)
    if how == "closed":
        os.close(pipe.writer)
    elif how == "no reader":
        os.close(pipe.reader)
    else:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, pipe.writer)
    for _ in range(3):
        writer.write(b"first\nsecond\n")
    writer.flush(BOUND_S)
    assert writer.dropped == 6
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, pipe.writer)
    writer.write(b"third\n")
    writer.flush(BOUND_S)
    assert (tmp_path / "log").read_text() == "dropped 6\nthird\n"
    assert writer.dropped == 6


def test_partly_written_line_is_dropped_and_the_next_starts_a_line(tmp_path, monkeypatch):
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    room = 9  # Free bytes on the disk.
    write = os.write

    def write_what_fits(descriptor: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError
        written = write(descriptor, data[:room])
        room -= written
        return written

    monkeypatch.setattr("os.write", write_what_fits)
    writer = LogWriter(file, notice)
    writer.write(b"first\nsecond\n")
    writer.flush(BOUND_S)
    room = 99
    writer.write(b"third\n")
    writer.flush(BOUND_S)
    assert (tmp_path / "log").read_text() == "first\nsec\ndropped 1\nthird\n"
    assert writer.dropped == 1


def test_non_blocking_descriptor_drops_nothing(pipe):
    size = pipe.fill()
    os.set_blocking(pipe.writer, False)
    writer = pipe.log_writer()
    writer.write(b"line\n")
    assert pipe.read(size + 5).endswith(b"\nline\n")
    assert writer.dropped == 0


def test_forked_process_writes_only_its_own_lines(pipe):
    size = pipe.fill()
    writer = pipe.log_writer()
    writer.write(b"parent\n")
    child = os.fork()
    if not child:
        writer.write(b"child\n")
        writer.flush(BOUND_S)
        os._exit(0)
    pipe.read(size)
    assert os.waitpid(child, 0)[1] == 0
    writer.flush(BOUND_S)
    assert sorted(pipe.read(len(b"parent\nchild\n")).splitlines()) == [b"child", b"parent"]


def test_writer_thread_start_is_retried(pipe, monkeypatch):
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    writer = pipe.log_writer()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        writer.write(b"first\n")
        writer.flush(BOUND_S)
    writer.write(b"second\n")
    writer.flush(BOUND_S)
    assert pipe.read(13) == b"first\nsecond\n"


def test_logging_is_reentrant(pipe):
    writer = pipe.log_writer()
    with writer._lock:
        writer.write(b"line\n")
    writer.flush(BOUND_S)
    assert pipe.read(5) == b"line\n"
