"""A server whose engine waits on the clock instead of computing: run as a module.

It draws the negative of a picture after TIMED_SECONDS. A picture that is HANGING pixels wide hangs
for ever. It is no setting: it stands in for the engine in the code of this file.
"""

import os
import time
from pathlib import Path
from threading import Event

from dctnet.config import Settings
from dctnet.engine import Cartoon
from dctnet.models.folder import ModelFolder
from dctnet.replica import Replica
from dctnet.runtimes import Pixels
from dctnet.server.application import Server

HANGING = 13
MODEL = ModelFolder(Path("/timed"), "timed", "example/timed", "v1", None, "no manifest")


class TimedEngine:
    """Draws after a while without using the processor."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def cartoonize(self, picture: Pixels, /) -> Cartoon:
        if picture.shape[1] == HANGING:
            Event().wait()
        time.sleep(self._seconds)
        return Cartoon(255 - picture, 0, {"background": self._seconds})


if __name__ == "__main__":
    engine = TimedEngine(float(os.environ["TIMED_SECONDS"]))
    settings = Settings.from_environment(os.environ)
    Server(Replica(settings, MODEL, lambda _: (engine, MODEL))).run()
