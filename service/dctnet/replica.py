"""Replica: model, slots and state, shared by the API, the probes and the worker."""

import logging
import os
from collections.abc import Callable
from functools import partial
from threading import Thread
from time import monotonic

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from dctnet import logs
from dctnet.admission import Admission
from dctnet.api_keys import ApiKeys
from dctnet.config import Settings
from dctnet.lifecycle.heartbeat import Heartbeat
from dctnet.lifecycle.pausable_clock import PausableClock
from dctnet.lifecycle.probes import probes
from dctnet.lifecycle.state import Lifecycle, State
from dctnet.lifecycle.warm_up import CartoonEngine, warm_up
from dctnet.lifecycle.watchdog import Watchdog
from dctnet.metrics import Metrics
from dctnet.model_loading import load_engine
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.runtimes import selection
from dctnet.tracing import Tracing

logger = logging.getLogger(__name__)

LoadEngine = Callable[[Settings], tuple[CartoonEngine, ModelFolder]]


class Replica:
    """Components of one replica."""

    def __init__(
        self,
        settings: Settings,
        model: ModelFolder,
        load: LoadEngine | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``load`` replaces `load_engine` in tests; ``tracing`` exports spans.

        Raises SettingsError if the file of API keys is set but cannot be used.
        """
        self.settings = settings
        self.api_keys = ApiKeys(settings.api_keys_file) if settings.api_keys_file else None
        self.model = model
        self.runtime = selection.summary(model, settings.runtime)
        self.lifecycle = Lifecycle()
        self._running_clock = PausableClock()
        self.admission = Admission(
            slots=settings.slots,
            queue_size=settings.queue_size,
            max_uploads=settings.max_uploads,
            max_service_time=settings.watchdog_timeout,
            running_clock=self._running_clock,
        )
        self.metrics = Metrics()
        self.metrics.register_gauges(
            self.admission, self.lifecycle, lambda: self.model, self.runtime
        )
        self.watchdog = Watchdog(
            self.lifecycle,
            self.admission.longest_running,
            settings.watchdog_timeout,
            self.metrics.watchdog_trips.inc,
        )
        self.accept_loop = Heartbeat(self._running_clock)
        self.probes = probes(
            self.lifecycle,
            self.watchdog,
            self.accept_loop,
            self.admission.longest_running,
            self._describe_model,
        )
        self.tracing = tracing
        self._load = load or partial(load_engine, model=model)
        self._engine: CartoonEngine | None = None
        self._warm_up_result = "not run yet"

    @property
    def engine(self) -> CartoonEngine:
        """Engine; used on slots, which start after it is loaded."""
        assert self._engine is not None
        return self._engine

    def start(self) -> None:
        """Load and warm up in a thread; on failure the process exits with status 3."""
        Thread(target=self._load_or_exit, name="load-model", daemon=True).start()
        self._running_clock.start()
        self.watchdog.start()
        if self.tracing is not None:
            self.tracing.start()

    def drain(self) -> None:
        """Start the graceful shutdown: admit only what can be finished before the exit."""
        self.lifecycle.transition_to(State.DRAINING)
        self.admission.drain(monotonic() + self.settings.graceful_timeout)

    def stop(self) -> None:
        """Stop, once all accepted requests are complete, and flush spans."""
        self.lifecycle.transition_to(State.STOPPED)
        self._running_clock.stop()
        if self.tracing is not None:
            self.tracing.stop()

    def load(self) -> None:
        """Load the model and warm up every slot; raise ModelError."""
        started = monotonic()
        self._engine, self.model = self._load(self.settings)
        logger.info("%s", selection.explain(self.model, self.settings.runtime))
        # A lack of memory must show at start, not while serving.
        self._engine.reserve(self.settings.slots)
        prepare = partial(warm_up, self._engine, self.model, self.admission.service_time.calibrate)
        for prepared in self.admission.start(prepare):
            self._warm_up_result = str(prepared.result())
        seconds = monotonic() - started
        self.metrics.model_load_seconds.set(seconds)
        if self.lifecycle.transition_to(State.READY):
            logger.info(
                "ready; the model %s was loaded in %.1f s into %s",
                self.model.label,
                seconds,
                self.runtime,
            )

    def _load_or_exit(self) -> None:
        try:
            self.load()
        except ModelError as error:
            logger.error("%s", error)
            self._exit_failed()
        except BaseException:  # Whatever the error, this replica cannot serve.
            logger.exception("the model could not be loaded")
            self._exit_failed()

    def _exit_failed(self) -> None:
        """Exit with the status on which Gunicorn does not restart the worker."""
        self.lifecycle.transition_to(State.FAILED)
        logs.flush()
        # Exits the process from any thread; sys.exit would only end this thread.
        os._exit(Arbiter.WORKER_BOOT_ERROR)

    def _describe_model(self) -> str:
        parts = [
            self.model.label,
            f"integrity: {self.model.integrity}",
            f"runtime: {self.runtime}",
            *(f"{name} needs TensorFlow: {why}" for name, why in self.model.unconverted.items()),
            f"warm-up: {self._warm_up_result}",
        ]
        return ", ".join(parts)
