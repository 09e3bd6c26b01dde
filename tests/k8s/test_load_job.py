"""k8s/load-job.yaml: valid, restricted, and with a command line that runs."""

import re

import yaml

from dctnet import __version__, cli
from tests.chart.schemas import MINORS
from tests.loadtest.stub_server import run_stub_server
from tests.support.chart import SCHEMAS, run_tool
from tests.support.kubernetes import validation_errors
from tests.support.process import free_ports
from tests.support.repo import ROOT

FILE = ROOT / "k8s/load-job.yaml"
JOB = yaml.safe_load(FILE.read_text())
POD = JOB["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_schema_accepts_it():
    for minor in (MINORS[0], MINORS[-1]):
        options = ["-strict", "-kubernetes-version", f"{minor}.0", "-schema-location", SCHEMAS]
        done = run_tool("kubeconform", *options, FILE)
        assert done.returncode == 0, done.stdout
    assert validation_errors([JOB | {"metadata": {"name": "dctnet-load"}}]) == []


def test_pod_meets_the_restricted_pod_security_standard():
    assert POD["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert CONTAINER["securityContext"]["allowPrivilegeEscalation"] is False
    assert CONTAINER["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert CONTAINER["image"] == f"dctnet:{__version__}"


def test_command_line_runs(capsys):
    (port,) = free_ports(1)
    metrics = f"--metrics-port={CONTAINER['ports'][0]['containerPort']}"
    local = {metrics: f"--metrics-port={port}"}
    with run_stub_server() as server:
        local[f"http://{re.sub('-load-$', '', JOB['metadata']['generateName'])}"] = server.url
        assert local.keys() < set(CONTAINER["args"])
        arguments = [local.get(argument, argument) for argument in CONTAINER["args"]]
        assert cli.main([*arguments, "--requests", "60", "--size", "8x8"]) == 0
    assert "50 clients for 30 s or 60 requests" in capsys.readouterr().out
