"""Timed server, whose engine waits on the clock instead of computing: run as a module.

Its cartoon is the negative of an image, after TIMED_SECONDS without pauses of the process. An
image SLOW pixels wide takes ten times as long, one HANGING pixels wide hangs forever, and one
FAILING pixels wide raises an error. If TIMED_SECONDS is `inf`, the server never becomes ready:
its thread pool hangs. While the file TIMED_HELD exists, no inference ends; while the file
TIMED_LOOP_HANGS exists, the accept loop hangs. These variables are not settings of dctnet: only
this file reads them.
"""

import gc
import os
import time
from concurrent.futures import ThreadPoolExecutor
from math import ceil, inf
from pathlib import Path
from threading import Event
from typing import Any

from dctnet import logs, tracing
from dctnet.arrays import Pixels
from dctnet.codecs.launching import Launcher
from dctnet.config import Settings
from dctnet.engine import Cartoon
from dctnet.model_loading import StyleModels
from dctnet.models.folder import ModelFolder
from dctnet.replica import Replica
from dctnet.server.gunicorn_app import GunicornApp
from dctnet.server.listener import listen
from dctnet.server.worker import Worker

SLOW, HANGING, FAILING = 11, 13, 17
STEP_S = 0.02
"""Longest single wait, in seconds: the most by which a pause of the process shortens one."""

MODEL = ModelFolder(Path("/timed"), "timed", "example/timed", "v1", None, "no manifest")


class TimedEngine:
    """Engine that waits without using the CPU."""

    is_hot = True

    def __init__(self, seconds: float, held: Path | None = None) -> None:
        self._seconds, self._held = seconds, held

    def require_memory(self, calls: int, /) -> None:
        pass

    def time_background(self, image: Pixels, /) -> float:
        return self.cartoonize(image).stages["background"]

    def cartoonize(self, image: Pixels, /, *options: object) -> Cartoon:
        """Return the negative, whatever strength and size."""
        if self._seconds == inf:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(Event().wait).result()
        if image.shape[1] == HANGING:
            Event().wait()
        if image.shape[1] == FAILING:
            raise ArithmeticError
        seconds = self._seconds * (10 if image.shape[1] == SLOW else 1)
        steps = ceil(seconds / STEP_S)
        for _ in range(steps):
            time.sleep(seconds / steps)
        while self._held and self._held.exists():
            time.sleep(STEP_S)
        return Cartoon(255 - image, 0, {"background": seconds})


def hang_accept_loop(file: Path) -> None:
    """Make the accept loop hang while the file exists."""
    accept = Worker.accept

    def hang(worker: Worker, listener: Any) -> None:
        while file.exists():
            time.sleep(STEP_S)
        accept(worker, listener)

    Worker.accept = hang  # type: ignore[assignment, method-assign]


def serve() -> None:
    # Arbiter and worker would each collect garbage in all imported modules at exit.
    gc.freeze()
    if "TIMED_LOOP_HANGS" in os.environ:
        hang_accept_loop(Path(os.environ["TIMED_LOOP_HANGS"]))
    held = os.environ.get("TIMED_HELD")
    engine = TimedEngine(float(os.environ["TIMED_SECONDS"]), Path(held) if held else None)
    logs.start()
    settings = Settings.from_environment(os.environ)
    logs.configure(settings.log_level, settings.log_format)
    spans = tracing.from_environment(os.environ)
    found = StyleModels({MODEL.style: MODEL})

    def make_replica(launcher: Launcher) -> Replica:
        engines = {MODEL.style: engine}
        return Replica(settings, found, lambda _: (engines, {}), spans, launcher=launcher)

    GunicornApp(settings, listen(settings.bind), make_replica).run()


if __name__ == "__main__":
    serve()
