"""Cluster tests without a cluster."""

import os
import subprocess
import sys

from tests.support.repo import ROOT


def test_missing_cluster_is_one_error_line(tmp_path):
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
    assert line.startswith("Exit: No cluster is reachable at kubectl's current context: kubectl")
