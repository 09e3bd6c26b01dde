"""`make native` without a compiler."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support.repo import ROOT


def test_missing_compiler_is_reported_in_one_line(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make: apt-get install make")
    for name in ("Makefile", "tools.mk", "requirements/zig.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    build = shutil.ignore_patterns("build")
    shutil.copytree(ROOT / "service/native", tmp_path / "service/native", ignore=build)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    run = subprocess.run(
        ["make", "native", "COMPILERS="],
        cwd=tmp_path,
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = run.stderr.splitlines()
    assert line.startswith("The native runtime is left out, and ONNX Runtime computes in its place")
    assert list((tmp_path / "service/dctnet/runtimes/lib").iterdir()) == []
