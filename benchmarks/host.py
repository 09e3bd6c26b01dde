"""Description of the benchmark host."""

import platform
import re
from importlib.metadata import version
from pathlib import Path

from dctnet.cpus import available_cpus

_MARKETING = re.compile(r"\(R\)|\(TM\)| Proc\w+$")
"""What a name of a CPU has beside maker and model."""


def describe_host() -> str:
    """Describe CPU, cores and library versions in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {
        _MARKETING.sub("", line.partition(":")[2]).strip()
        for line in lines
        if line.startswith("model name")
    }
    flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    wide = next((name for name in ("avx512f", "avx2") if name in flags), "no AVX2")
    return (
        f"{available_cpus():g} cores of {', '.join(sorted(names))} ({wide}), "
        f"Python {platform.python_version()}, numpy {version('numpy')},"
        f" ONNX Runtime {version('onnxruntime')}, TensorFlow {version('tensorflow')}"
    )
