"""The launcher ends quietly with its server, at whatever moment that exits."""

import os
import subprocess
import sys
from fcntl import ioctl
from struct import unpack
from termios import FIONREAD

import pytest

from dctnet.codecs import messages
from tests.support.polling import BOUND_S, until
from tests.support.repo import environment


@pytest.mark.parametrize("moment", ["importing", "ready", "ready, unread", "asked"])
def test_launcher_ends_without_a_word(moment):
    ours, theirs = messages.pair()
    with subprocess.Popen(
        [sys.executable, "-m", "dctnet.codecs.launcher", str(theirs.fileno())],
        env=environment(),
        stderr=subprocess.PIPE,
        pass_fds=[theirs.fileno()],
    ) as launcher:
        theirs.close()
        with ours:
            if moment != "importing":
                until(lambda: unpack("i", ioctl(ours, FIONREAD, bytes(4)))[0] > 0)
            if moment in {"ready", "asked"}:
                assert messages.receive(ours) == {}
            if moment == "asked":
                memory = os.memfd_create("test")
                limits = {"max_body_bytes": 1, "max_pixels": 1}
                messages.send(ours, {"key": 0, **limits}, [memory, memory])
                os.close(memory)
        _, stderr = launcher.communicate(timeout=BOUND_S)
    assert (launcher.returncode, stderr) == (0, b"")
