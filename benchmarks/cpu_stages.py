"""`dctnet serve` whose responses have CPU time instead of durations in `Server-Timing`.

For `benchmarks/cost_per_cartoon.py`, which starts it. The figures hold while one image at a time is
cartoonized: those of a stage count all threads of the worker, and the codec process.
"""

import sys
import time
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

from dctnet import cli
from dctnet.api.cartoonize import CartoonHandler, CartoonResponse
from dctnet.codecs.pool import Codec
from dctnet.engine import engine
from tests.support.process import cpu_clock

_codec_seconds: dict[str, float] = {}
"""CPU seconds of the last image's decoding and encoding."""


def _count_codec_time(stage: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a codec that notes the CPU time of its process and of this one."""

    @wraps(method)
    def run(codec: Codec, *arguments: Any) -> Any:
        before = cpu_clock(codec.pid) + time.process_time()
        result = method(codec, *arguments)
        _codec_seconds[stage] = cpu_clock(codec.pid) + time.process_time() - before
        return result

    return run


def _report_codec_time(method: Callable[..., CartoonResponse]) -> Callable[..., CartoonResponse]:
    """Return a method that puts what was noted into the stages of its response."""

    @wraps(method)
    def run(*arguments: Any) -> CartoonResponse:
        response = method(*arguments)
        assert _codec_seconds.keys() <= response.stages.keys()
        response.stages.update(_codec_seconds)
        return response

    return run


def main() -> None:
    """Replace the clocks, and serve."""
    vars(engine)["time"] = SimpleNamespace(perf_counter=time.process_time)
    for stage in ("decode", "encode"):
        setattr(Codec, stage, _count_codec_time(stage, getattr(Codec, stage)))
    name = "_cartoonize_with"
    setattr(CartoonHandler, name, _report_codec_time(getattr(CartoonHandler, name)))
    sys.exit(cli.main(["serve"]))


if __name__ == "__main__":
    main()
