"""The replica: one Gunicorn worker whose threads serve, and the model that it loads meanwhile."""

import os
import time
import traceback
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from dctnet.app import create_app
from dctnet.config import Settings
from dctnet.http.drawing import Cartoonist
from dctnet.loading import label, load_engine
from dctnet.messages import say
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder

REQUEST_THREADS = 64
"""Requests that can be read, waiting or drawn at once; more wait for a connection's turn."""

KEEP_ALIVE_S = 75
"""How long an idle connection stays: longer than the 60 s of common proxies, so that they close
first and never send a request into a closing connection."""

GRACEFUL_TIMEOUT_S = 65
"""How long requests that were accepted may take after SIGTERM."""

HEARTBEAT_TIMEOUT_S = 120
"""How long the worker's main thread may be silent: importing TensorFlow from a cold disk blocks it
for a while."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - The folder itself, not a name in it.


class Replica(BaseApplication):  # type: ignore[misc]  # Gunicorn has no types.
    """The Gunicorn application around the Flask one."""

    def __init__(self, settings: Settings, model: ModelFolder) -> None:
        """Take a model that was verified already."""
        self._settings = settings
        self._model = model
        super().__init__()

    def load_config(self) -> None:
        """Set Gunicorn's options; called by the base class."""
        for name, value in gunicorn_options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the application in the worker, and start to load the model behind its back."""
        engine: Future[Cartoonist] = Future()
        Thread(target=_load, args=(self._settings, engine), name="load-model", daemon=True).start()
        return create_app(self._settings, self._model, engine)


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return what differs from Gunicorn's defaults."""
    return {
        "bind": str(settings.bind),
        "workers": 1,
        "worker_class": "gthread",
        "threads": REQUEST_THREADS,
        "keepalive": KEEP_ALIVE_S,
        "graceful_timeout": GRACEFUL_TIMEOUT_S,
        "timeout": HEARTBEAT_TIMEOUT_S,
        # The worker's heartbeat is a file, and writing to a busy disk can block.
        "worker_tmp_dir": str(SHARED_MEMORY) if os.access(SHARED_MEMORY, os.W_OK) else None,
        # It would be written to the home folder, which may be read-only.
        "control_socket_disable": True,
        "loglevel": "warning",
        "when_ready": _say_where,
    }


def _say_where(arbiter: Any) -> None:
    say(f"listening on http://{arbiter.cfg.bind[0]}")


def _load(settings: Settings, engine: Future[Cartoonist]) -> None:
    started = time.monotonic()
    try:
        loaded, model = load_engine(settings)
    except ModelError as error:
        say(str(error))
        _give_up()
    except BaseException:  # Whatever it is, no picture will ever be drawn here.
        traceback.print_exc()
        _give_up()
    seconds = time.monotonic() - started
    say(f"ready; the model {label(model)} was loaded in {seconds:.1f} s")
    engine.set_result(loaded)


def _give_up() -> NoReturn:
    """End the worker with the code on which Gunicorn ends too, instead of starting it for ever."""
    # Ends the process from any thread; sys.exit would only end this one.
    os._exit(Arbiter.WORKER_BOOT_ERROR)
