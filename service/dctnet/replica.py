"""One replica: a model, its slots and its state; what the API, the probes and the worker share."""

import os
import traceback
from collections.abc import Callable
from functools import partial
from threading import Thread
from time import monotonic

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from dctnet import log_writer
from dctnet.admission import Admission
from dctnet.api_keys import ApiKeys
from dctnet.config import Settings
from dctnet.lifecycle.heartbeat import Heartbeat
from dctnet.lifecycle.pausable_clock import PausableClock
from dctnet.lifecycle.probes import probes
from dctnet.lifecycle.state import Lifecycle, State
from dctnet.lifecycle.warm_up import CartoonEngine, warm_up
from dctnet.lifecycle.watchdog import Watchdog
from dctnet.messages import say
from dctnet.metrics import Metrics
from dctnet.model_loading import load_engine
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.runtimes import selection
from dctnet.tracing import Tracing

Load = Callable[[Settings], tuple[CartoonEngine, ModelFolder]]


class Replica:
    """The parts of one replica, wired."""

    def __init__(
        self,
        settings: Settings,
        model: ModelFolder,
        load: Load | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Take a verified model, what loads it if not `load_engine`, and what makes spans.

        Raises SettingsError where there is to be a file of API keys and it is not right.
        """
        self.settings = settings
        self.api_keys = ApiKeys(settings.api_keys_file) if settings.api_keys_file else None
        self.model = model
        self.runtime = selection.summary(model, settings.runtime)
        self.lifecycle = Lifecycle()
        self._running_clock = PausableClock()
        self.admission = Admission(
            slots=settings.slots,
            queue=settings.queue_size,
            uploads=settings.max_uploads,
            max_service_time=settings.watchdog_timeout,
            running_clock=self._running_clock,
        )
        self.metrics = Metrics()
        self.metrics.watch(self.admission, self.lifecycle, lambda: self.model, self.runtime)
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
            self._describe,
        )
        self.tracing = tracing
        self._load = load or partial(load_engine, model=model)
        self._engine: CartoonEngine | None = None
        self._compared = "not drawn yet"

    @property
    def engine(self) -> CartoonEngine:
        """What draws; to be used on a slot, and there is no slot before it is loaded."""
        assert self._engine is not None
        return self._engine

    def start(self) -> None:
        """Load and warm up in a thread; where that fails the process ends with the code 3."""
        Thread(target=self._become_ready, name="load-model", daemon=True).start()
        self._running_clock.start()
        self.watchdog.start()
        if self.tracing is not None:
            self.tracing.start()

    def drain(self) -> None:
        """Take from now on only what can be finished before the process ends."""
        self.lifecycle.transition_to(State.DRAINING)
        self.admission.drain(monotonic() + self.settings.graceful_timeout)

    def end(self) -> None:
        """Be stopped, when all that was accepted is answered, and send the last spans."""
        self.lifecycle.transition_to(State.STOPPED)
        self._running_clock.stop()
        if self.tracing is not None:
            self.tracing.stop()

    def load(self) -> None:
        """Load the model and let every slot warm up; raise ModelError."""
        started = monotonic()
        self._engine, self.model = self._load(self.settings)
        say(selection.explain(self.model, self.settings.runtime))
        # A slot must not find out in service that its memory cannot be had.
        self._engine.reserve(self.settings.slots)
        prepare = partial(warm_up, self._engine, self.model, self.admission.service_time.calibrate)
        for prepared in self.admission.start(prepare):
            self._compared = str(prepared.result())
        seconds = monotonic() - started
        self.metrics.model_load_seconds.set(seconds)
        if self.lifecycle.transition_to(State.READY):
            say(
                f"ready; the model {self.model.label} was loaded in {seconds:.1f} s"
                f" into {self.runtime}"
            )

    def _become_ready(self) -> None:
        try:
            self.load()
        except ModelError as error:
            say(str(error))
            self._give_up()
        except BaseException:  # Whatever it is, no image will ever be drawn here.
            traceback.print_exc()
            self._give_up()

    def _give_up(self) -> None:
        """End the worker with the code on which Gunicorn ends too, instead of starting it again."""
        self.lifecycle.transition_to(State.FAILED)
        log_writer.flush()
        # Ends the process from any thread; sys.exit would only end this one.
        os._exit(Arbiter.WORKER_BOOT_ERROR)

    def _describe(self) -> str:
        facts = [
            self.model.label,
            f"integrity: {self.model.integrity}",
            f"runtime: {self.runtime}",
            *(f"{name} needs TensorFlow: {why}" for name, why in self.model.unconverted.items()),
            f"warm-up: {self._compared}",
        ]
        return ", ".join(facts)
