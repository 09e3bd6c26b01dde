"""``dctnet doctor``: check installation, machine and model with a test inference."""

import argparse
import json
import platform
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from dctnet import __version__
from dctnet.config import Settings

if TYPE_CHECKING:
    from dctnet.models.folder import ModelFolder

Facts = dict[str, object]

_PACKAGES = (
    "flask",
    "gunicorn",
    "isal",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "webp",
)
_OPTIONAL_PACKAGES = ("pi-heif", "tensorflow", "modelscope")

# Features by which convolution libraries select code; the kernel says "asimd" for NEON.
_CPU_FEATURES = ("sse4_1", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "asimd")

CODEC_TIMEOUT_S = 10.0
"""How long decoding or encoding may take, in seconds."""

_TEST_SIDE = 512
"""Side of the test image, in pixels."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "doctor",
        help="check the installation, the model and the machine",
        description="Check everything that serving needs, and time one inference. The exit status "
        "is 1 if a check fails.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run and print every check, even after a failed one; return 1 if one failed."""
    report: dict[str, Facts] = {}
    for name, check in _CHECKS.items():
        try:
            report[name] = check(settings)
        except Exception as error:  # Report any error as the result of the check.
            report[name] = {"error": str(error) or type(error).__name__}
        if not args.json:
            _print(name, report[name])
    healthy = not any("error" in facts for facts in report.values())
    if args.json:
        print(json.dumps({"healthy": healthy, **report}, indent=2))
    return 0 if healthy else 1


def _print(name: str, facts: Facts) -> None:
    mark = "FAILED" if "error" in facts else "ok"
    print(f"{name}: {mark}")
    _print_facts(facts, indent="  ")


def _print_facts(facts: Facts, indent: str) -> None:
    for key, value in facts.items():
        label = f"{indent}{key.replace('_', ' ')}:"
        if isinstance(value, dict):
            print(label)
            _print_facts(value, indent + "  ")
            continue
        words = value if isinstance(value, list) else [] if value is None else [value]
        print(label, " ".join(map(str, words)) or "none", flush=True)


def _versions(_: Settings) -> Facts:
    facts: Facts = {"dctnet": __version__, "python": platform.python_version()}
    for package in _PACKAGES + _OPTIONAL_PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _cpu(settings: Settings) -> Facts:
    from dctnet.model_loading import network_threads

    return {
        "machine": platform.machine(),
        "features": cpu_features(Path("/proc/cpuinfo")),
        "cpus": settings.cpus,
        "slots": settings.slots,
        "threads": network_threads(settings),
    }


def cpu_features(cpuinfo: Path) -> list[str]:
    """Return the relevant features that Linux lists in ``/proc/cpuinfo``."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:  # Not Linux.
        return []
    listed = {
        word
        for line in lines
        if line.startswith(("flags", "Features"))
        for word in line.partition(":")[2].split()
    }
    return [feature for feature in _CPU_FEATURES if feature in listed]


def _address(settings: Settings) -> Facts:
    from dctnet.server.listener import listen

    try:
        listen(settings.bind).close()
    except OSError as error:  # Not a failure: the server may be running.
        return {"bind": str(settings.bind), "free": False, "reason": error.strerror}
    return {"bind": str(settings.bind), "free": True}


def _styles(settings: Settings) -> Facts:
    from dctnet.model_loading import find_models

    found = find_models(settings)
    described: Facts = {name: _style(model, settings) for name, model in found.models.items()}
    return described | {name: {"left_out": reason} for name, reason in found.broken.items()}


def _style(model: "ModelFolder", settings: Settings) -> Facts:
    from dctnet.runtimes import selection

    return {
        "path": str(model.path),
        "model": model.model,
        "revision": model.revision,
        "digest": model.digest,
        "source_digest": model.source_digest,
        "integrity": model.integrity,
        "converted": model.is_converted,
        "runtime": selection.summary(model, settings.runtime),
        "runtime_selection": selection.explain(model, settings.runtime),
        **{f"{name}_needs_tensorflow": reason for name, reason in model.unconverted.items()},
    }


def _codecs(settings: Settings) -> Facts:
    from dctnet.codecs.pool import CodecPool
    from dctnet.imaging import inspect
    from dctnet.models.folder import GOLDEN_INPUT, SHIPPED_COMMON

    data = (SHIPPED_COMMON / GOLDEN_INPUT).read_bytes()
    pool = CodecPool(
        1,
        max_body_bytes=settings.max_body_bytes,
        max_pixels=settings.max_pixels,
        heic=settings.heic,
    )
    header = inspect(data, max_pixels=settings.max_pixels)
    started = time.perf_counter()
    with pool, pool.borrow() as codec:
        ready = time.perf_counter()
        codec.encode(codec.decode(data, header, CODEC_TIMEOUT_S), "png", CODEC_TIMEOUT_S)
        return {
            "restricted_by": list(pool.restrictions),
            "start_seconds": round(ready - started, 3),
            "seconds": round(time.perf_counter() - ready, 3),
        }


def _inference(settings: Settings) -> Facts:
    import numpy as np

    from dctnet.model_loading import load_engine

    started = time.perf_counter()
    engine = load_engine(settings)
    loaded = time.perf_counter()
    ramp = np.linspace(0, 255, _TEST_SIDE).astype(np.uint8)
    image = np.stack(np.broadcast_arrays(ramp, ramp[:, np.newaxis], ramp[::-1]), axis=-1)
    engine.cartoonize(image)  # The first inference also initializes the graphs.
    warm = time.perf_counter()
    engine.cartoonize(image)
    return {
        "loading_seconds": round(loaded - started, 3),
        "first_seconds": round(warm - loaded, 3),
        "seconds": round(time.perf_counter() - warm, 3),
        "size": f"{_TEST_SIDE}x{_TEST_SIDE}",
    }


_CHECKS: dict[str, Callable[[Settings], Facts]] = {
    "versions": _versions,
    "cpu": _cpu,
    "address": _address,
    "styles": _styles,
    "codecs": _codecs,
    "inference": _inference,
}
