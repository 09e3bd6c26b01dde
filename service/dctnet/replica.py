"""Replica: model, slots and state, shared by the API, the probes and the worker."""

import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from threading import Thread
from time import monotonic

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from dctnet import logs
from dctnet.admission import Admission
from dctnet.api_keys import ApiKeys
from dctnet.codecs.errors import CodecUnavailable
from dctnet.codecs.launching import Launcher
from dctnet.codecs.pool import CodecPool
from dctnet.config import Settings
from dctnet.lifecycle.heartbeat import Heartbeat
from dctnet.lifecycle.pausable_clock import PausableClock
from dctnet.lifecycle.probes import probes
from dctnet.lifecycle.state import Lifecycle, State
from dctnet.lifecycle.warm_up import CartoonEngine, StyleUnderTest, WarmUp
from dctnet.lifecycle.watchdog import Watchdog
from dctnet.metrics import Metrics
from dctnet.model_loading import StyleModels, load_engines, require_style
from dctnet.models.errors import ModelError
from dctnet.models.folder import ModelFolder
from dctnet.runtimes import selection
from dctnet.tracing import Tracing

logger = logging.getLogger(__name__)

LoadEngines = Callable[[Settings], tuple[Mapping[str, CartoonEngine], Mapping[str, str]]]


class Replica:
    """Components of one replica."""

    def __init__(
        self,
        settings: Settings,
        found: StyleModels,
        load: LoadEngines | None = None,
        tracing: Tracing | None = None,
        codecs: CodecPool | None = None,
        *,
        api_keys: ApiKeys | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        """``load`` replaces `load_engines` in tests; ``tracing`` exports spans.

        ``codecs`` are shared by replicas of one process, in tests. ``launcher`` may be started
        already, and ``api_keys`` read.

        Raises SettingsError if the file of API keys is set but cannot be used.
        """
        self.settings = settings
        if api_keys is None and settings.api_keys_file:
            api_keys = ApiKeys(settings.api_keys_file)
        self.api_keys = api_keys
        self.models: Mapping[str, ModelFolder] = found.models
        """Models by style, the default first: those found, later those that passed the warm-up."""
        self.broken: Mapping[str, str] = found.broken
        """Styles that are left out, with the reason."""
        self._runtimes = {
            style: selection.summary(model, settings.runtime)
            for style, model in found.models.items()
        }
        self.samples: Mapping[str, bytes] = {}
        """Sample cartoons by style, once warmed up."""
        self.lifecycle = Lifecycle()
        self._running_clock = PausableClock()
        self.admission = Admission(
            slots=settings.slots,
            queue_size=settings.queue_size,
            max_uploads=settings.max_uploads,
            max_waiting_bytes=settings.max_waiting_bytes,
            max_service_time=settings.watchdog_timeout,
            running_clock=self._running_clock,
        )
        self.metrics = Metrics()
        self.metrics.register_gauges(self)
        self.codecs = codecs or CodecPool(
            settings.slots,
            max_body_bytes=settings.max_body_bytes,
            max_pixels=settings.max_pixels,
            heic=settings.heic,
            launcher=launcher,
            count_failure=lambda reason: self.metrics.codec_failures.labels(reason).inc(),
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
            model=self._describe_styles,
            codecs=self.codecs.describe,
        )
        self.tracing = tracing
        self._load = load or partial(load_engines, found=found)
        self._engines: Mapping[str, CartoonEngine] = {}
        self._warm_up_results: Mapping[str, str] = {}

    @property
    def default_style(self) -> str:
        """Style of requests that name none."""
        return next(iter(self.models))

    def engine(self, style: str) -> CartoonEngine:
        """Return the engine of a style; used on slots, which start after it is loaded."""
        return self._engines[style]

    def switches(self) -> int:
        """Return how often a style's weights were transformed."""
        return selection.weight_switches()

    def runtime(self, style: str) -> str:
        """Return the runtimes of a style in one word."""
        return self._runtimes[style]

    def start(self) -> None:
        """Load and warm up in a thread; on failure the process exits with status 3."""
        self.codecs.start()
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
        self.codecs.stop()
        if self.tracing is not None:
            self.tracing.stop()

    def load(self) -> None:
        """Load the models and warm up every slot; raise ModelError."""
        started = monotonic()
        engines, broken = self._load(self.settings)
        for style in engines:
            explanation = selection.explain(self.models[style], self.settings.runtime)
            logger.info("%s: %s", style, explanation)
        self._warm_up(engines, broken)
        # A lack of memory must show at start, not while serving: beside all that stays in memory.
        self.engine(self.default_style).require_memory(self.settings.slots)
        self.codecs.prepare()  # Last, because the launcher imports meanwhile.
        seconds = monotonic() - started
        self.metrics.model_load_seconds.set(seconds)
        if self.lifecycle.transition_to(State.READY):
            labels = ", ".join(model.label for model in self.models.values())
            logger.info("ready; %s: loaded in %.1f s", labels, seconds)

    def _warm_up(self, engines: Mapping[str, CartoonEngine], broken: Mapping[str, str]) -> None:
        """Test every style on the slots, and keep those that pass."""
        tests = {style: StyleUnderTest(engines[style], self.models[style]) for style in engines}
        warm_up = WarmUp(
            tests, self.admission.service_time.calibrate, optional=self.settings.styles_optional
        )
        self._engines = engines
        for prepared in self.admission.start(warm_up):
            prepared.result()
        self.broken = {**broken, **warm_up.broken}
        for style, reason in self.broken.items():
            logger.error("the style %s is left out: %s", style, reason)
        self.models = {style: self.models[style] for style in engines if style not in self.broken}
        require_style(self.models, self.broken)
        self.samples, self._warm_up_results = warm_up.samples, warm_up.results

    def _load_or_exit(self) -> None:
        try:
            self.load()
        except (ModelError, CodecUnavailable) as error:
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

    def _describe_styles(self) -> str:
        loaded = [self._describe(style, model) for style, model in self.models.items()]
        broken = [f"{style} is left out: {reason}" for style, reason in self.broken.items()]
        return "; ".join(loaded + broken)

    def _describe(self, style: str, model: ModelFolder) -> str:
        parts = [
            model.label,
            f"integrity: {model.integrity}",
            f"runtime: {self.runtime(style)}",
            *(f"{name} needs TensorFlow: {why}" for name, why in model.unconverted.items()),
            f"warm-up: {self._warm_up_results.get(style, 'not run yet')}",
        ]
        return ", ".join(parts)
