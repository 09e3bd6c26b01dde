"""``dctnet capacity`` as a process: measurements, plan and values for the chart."""

import re
import subprocess

import pytest
import yaml

from dctnet.config import Settings
from tests.support.chart import merge_values, render
from tests.support.repo import DCTNET, environment
from tests.support.shipped import COMIC

FAST = ("--sizes", "32,64,48", "--replica-cpu", "1.5")


def capacity(*arguments: str, **environ: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [DCTNET, "capacity", *arguments],
        env=environment(**{"DCTNET_STYLES": COMIC, **environ}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def printed() -> str:
    run = capacity("--rate", "20", "--within", "5", *FAST)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_values_are_valid_for_the_chart(printed):
    values = yaml.safe_load(printed)
    objects = render(merge_values({"metrics": {"prometheusRule": {"enabled": True}}}, values))
    settings = Settings.from_environment(objects.one("ConfigMap", "dctnet")["data"])
    assert settings.queue_size == values["admission"]["queueSize"]
    assert settings.request_timeout == values["timeouts"]["request"] == 60
    scaler = objects.one("HorizontalPodAutoscaler")["spec"]
    autoscaling = values["autoscaling"]
    assert scaler["minReplicas"] == autoscaling["minReplicas"] >= 2
    assert scaler["maxReplicas"] == autoscaling["maxReplicas"] >= autoscaling["minReplicas"]
    assert objects.container["resources"]["limits"]["cpu"] == "1.5"
    assert "cartoons take longer than 4 s" in str(objects.one("PrometheusRule"))
    # Of the same values the chart derives about the same queue: it counts no image in progress.
    derived = merge_values(
        values, {"admission": {"queueSize": "auto"}, "slo": {"latency": {"bound": 4}}}
    )
    queue = int(render(derived).settings["DCTNET_QUEUE_SIZE"])
    expected = 4 / values["admission"]["cpuSecondsPerImage"]
    assert queue == pytest.approx(max(64, expected), abs=1)


def test_report_explains_the_plan(printed):
    comments = [line for line in printed.splitlines() if line.startswith("#")]
    assert re.fullmatch(
        r"# \d+ replicas? of 1\.5 CPUs for 20 images per second, 95 % of them within 5 s\.",
        comments[0],
    )
    rows = [re.split(r"\s{2,}", line) for line in comments if re.search(r"\dx\d", line)]
    assert [row[0] for row in rows] == ["# 32x32", "# 64x64", "# 48x48"]
    for _, alone, loaded, spread in rows:
        assert 0 < float(alone.removesuffix(" s")) < 10
        assert 0 < float(loaded.removesuffix(" s")) < 10
        assert spread.endswith("%")
    assert sum("per second: p50" in line or "replicas: p50" in line for line in comments) == 2


def test_image_slower_than_the_bound_has_a_remedy():
    run = capacity("--rate", "1", "--within", "0.1", "--sizes", "512", "--replica-cpu", "1")
    assert (run.returncode, run.stdout) == (1, "")
    assert re.search(r"An image of 512x512 takes [\d.]+ s, and the bound is 0\.1 s", run.stderr)
