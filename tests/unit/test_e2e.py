"""The tests in a cluster, where there is none."""

import os
import subprocess
import sys

from tests.support.repo import ROOT


def test_without_a_cluster_one_line_says_so_and_the_run_fails(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/e2e"],
        cwd=ROOT,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("Exit: No cluster answers at kubectl's current context: kubectl")
