"""A server whose engine waits on the clock instead of computing: run as a module.

It draws the negative of a picture after TIMED_SECONDS, in which pauses of the process do not count,
as they would not for a computation. A picture that is SLOW pixels wide takes ten times as long, one
that is HANGING pixels wide hangs for ever, and one that is FAILING pixels wide raises an error.
Where TIMED_SECONDS is `inf` it is never ready, for a pool of threads hangs that is to make it so.
It is no setting: it stands in for the engine in the code of this file.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from math import ceil, inf
from pathlib import Path
from threading import Event

from dctnet import tracing
from dctnet.config import Settings
from dctnet.engine import Cartoon
from dctnet.models.folder import ModelFolder
from dctnet.replica import Replica
from dctnet.runtimes import Pixels
from dctnet.server.application import Server

SLOW, HANGING, FAILING = 11, 13, 17
STEP_S = 0.02
"""Longest single wait, in seconds: the most by which a pause of the process shortens one."""

MODEL = ModelFolder(Path("/timed"), "timed", "example/timed", "v1", None, "no manifest")


class TimedEngine:
    """Draws after a while without using the processor."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def reserve(self, calls: int, /) -> None:
        if self._seconds == inf:
            with ThreadPoolExecutor(calls) as pool:
                pool.submit(Event().wait).result()

    def cartoonize(self, picture: Pixels, /) -> Cartoon:
        if picture.shape[1] == HANGING:
            Event().wait()
        if picture.shape[1] == FAILING:
            raise ArithmeticError
        seconds = self._seconds * (10 if picture.shape[1] == SLOW else 1)
        steps = ceil(seconds / STEP_S)
        for _ in range(steps):
            time.sleep(seconds / steps)
        return Cartoon(255 - picture, 0, {"background": seconds})


if __name__ == "__main__":
    engine = TimedEngine(float(os.environ["TIMED_SECONDS"]))
    settings = Settings.from_environment(os.environ)
    spans = tracing.from_environment(os.environ)
    Server(Replica(settings, MODEL, lambda _: (engine, MODEL), spans)).run()
