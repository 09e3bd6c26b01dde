"""Instruction sets of engines, as their libraries report them.

    .venv/bin/python -m benchmarks.instruction_sets RUNTIME PATH

Computes one small image in a process of its own, because logs cost time.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engines import Engine

NOT_REPORTED = "chosen by the library, not reported"
SIZE = "96x96"


def engine_instruction_set(runtime: str, path: Path, environment: Mapping[str, str]) -> str:
    """Return what the oneDNN of an engine reports, if it has one."""
    # OpenVINO's oneDNN fails if it logs executions. TensorFlow's GEMM is only logged then.
    verbose = "profile_create" if runtime.startswith("openvino") else "profile_exec"
    log = subprocess.run(
        [sys.executable, "-m", "benchmarks.instruction_sets", runtime, str(path)],
        env=os.environ | environment | {"ONEDNN_VERBOSE": verbose},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return in_onednn_log(log)


def in_onednn_log(log: str) -> str:
    """Return the convolution kernels in a log of oneDNN, or the instruction set of its GEMM."""
    if kernels := set(re.findall(r",cpu,convolution,([^,]+),", log)):
        return ", ".join(f"`{kernel}`" for kernel in sorted(kernels))
    isa = re.search(r",cpu,isa:(.+)", log)
    if isa and ",cpu,gemm_api," in log:
        return f"`gemm` of oneDNN: {isa[1].strip()}"
    return NOT_REPORTED


def sgemm_instruction_set(environment: Mapping[str, str]) -> str:
    """Return the core type whose kernels numpy's OpenBLAS uses."""
    log = subprocess.run(
        [sys.executable, "-c", "import numpy"],
        env=os.environ | environment | {"OPENBLAS_VERBOSE": "2"},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    ).stderr
    core = re.search(r"^Core: (.+)$", log, re.MULTILINE)
    return f"OpenBLAS, core type `{core[1]}`" if core else NOT_REPORTED


if __name__ == "__main__":
    Engine(sys.argv[1], Path(sys.argv[2]), 1).generate(SIZE)
