"""Health probes: startup, readiness and liveness, each a list of named checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dctnet.lifecycle.heartbeat import Heartbeat
from dctnet.lifecycle.state import Lifecycle
from dctnet.lifecycle.watchdog import Watchdog

MAX_ACCEPT_LOOP_AGE_S = 10.0
"""Most seconds between two rounds of the accept loop, which normally runs once a second."""


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of a probe."""

    name: str
    passes: Callable[[], bool]
    detail: Callable[[], str]
    """Describes the current state in a few words."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Result of a probe."""

    passed: bool
    lines: tuple[str, ...]
    """One line per check, marked plus or minus, as Kubernetes' own probes print them."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A named list of checks, all of which must pass."""

    name: str
    checks: Sequence[Check]

    def run(self) -> ProbeResult:
        """Run every check."""
        passed, lines = True, []
        for check in self.checks:
            passes = check.passes()
            passed &= passes
            lines.append(f"[{'+' if passes else '-'}]{check.name}: {check.detail()}")
        return ProbeResult(passed, (*lines, f"{self.name} {'passed' if passed else 'failed'}"))


def probes(
    lifecycle: Lifecycle,
    watchdog: Watchdog,
    accept_loop: Heartbeat,
    longest_running: Callable[[], float],
    *,
    model: Callable[[], str],
    codecs: Callable[[], str],
) -> dict[str, Probe]:
    """Return the probes by path.

    ``model`` describes the model and its verification, ``codecs`` how they are restricted.
    """
    loaded = Check("model", lambda: lifecycle.was_ready, model)
    serving = Check(
        "state",
        lambda: lifecycle.is_serving,  # Load never fails readiness.
        lambda: f"the replica is {lifecycle.state}",
    )
    progress = Check(
        "progress",
        lambda: not watchdog.is_overdue(),
        lambda: f"the oldest computation has been running for {longest_running():.1f} s",
    )
    sandboxed = Check("codecs", lambda: True, codecs)  # A process that ends is replaced.
    accepting = Check(
        "accept-loop",
        lambda: accept_loop.age <= MAX_ACCEPT_LOOP_AGE_S,
        lambda: f"the loop that accepts connections last ran {accept_loop.age:.1f} s ago",
    )
    return {
        "/startupz": Probe("startupz", [loaded]),
        "/readyz": Probe("readyz", [serving, loaded, sandboxed]),
        "/livez": Probe("livez", [progress, accepting]),
    }
