"""The filter drops only TensorFlow's start-up messages from standard error."""

import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from dctnet.runtimes.stderr_filter import filtered_stderr

CHATTER = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795486581.953038   12726 port.cc:153] oneDNN custom operations are on.
I1124 02:09:41.953419   12726 cudart_stub.cc:31] Could not find cuda drivers on your machine.
E0000 00:00:1795486581.953419   12726 cuda_platform.cc:51] failed call to cuInit: INTERNAL
E0000 00:00:1795486581.953419   12726 cuda_dnn.cc:8579] Unable to register cuDNN factory
"""
WORTH_READING = """\
E0000 00:00:1795486581.953419   12726 executor.cc:9] the disk is on fire
F0000 00:00:1795486581.953419   12726 cpu_feature_guard.cc:31] this machine has no AVX
WARNING: the moon is full
I am no log line: port.cc:153]
"""


def test_start_up_messages_are_dropped_and_others_pass(capfd):
    os.write(2, b"before\n")
    with filtered_stderr():
        os.write(2, (CHATTER + WORTH_READING).encode())
        os.write(2, b"not ended")
    os.write(2, f"\nafter\n{CHATTER}".encode())
    assert capfd.readouterr().err == (f"before\n{WORTH_READING}not ended\nafter\n{CHATTER}")


def test_output_larger_than_a_pipe_passes(capfd):
    line = "x" * 99 + "\n"
    with filtered_stderr():
        os.write(2, (line * 10_000).encode())
    assert capfd.readouterr().err == line * 10_000


def test_exception_restores_standard_error(capfd):
    with pytest.raises(KeyError), filtered_stderr():
        raise KeyError
    os.write(2, CHATTER.encode())
    assert capfd.readouterr().err == CHATTER


def test_lines_of_many_threads_pass(capfd):
    def start(number: int) -> None:
        with filtered_stderr():
            os.write(2, f"{CHATTER}line {number}\n".encode())

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after\n")
    *lines, last = capfd.readouterr().err.splitlines()
    assert sorted(lines) == [f"line {number}" for number in range(8)]
    assert last == "after"


def test_last_lines_of_an_aborting_process_pass():
    program = (
        "import os\n"
        "from dctnet.runtimes.stderr_filter import filtered_stderr\n"
        "with filtered_stderr():\n"
        "    os.write(2, b'this machine has no AVX\\n')\n"
        "    os.abort()\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert run.returncode < 0
    assert run.stderr == b"this machine has no AVX\n"


def test_blocked_standard_error_does_not_block_the_caller():
    program = (
        "import os\n"
        "from dctnet.runtimes.stderr_filter import filtered_stderr\n"
        "with filtered_stderr():\n"
        "    os.write(2, b'a line\\n')\n"
    )
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    subprocess.run([sys.executable, "-c", program], stderr=writer, check=True, timeout=30)
    os.close(reader)
    os.close(writer)
