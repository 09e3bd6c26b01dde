"""Properties of the Dockerfile, without building the image."""

import json
import re

import pytest
import yaml

from dctnet.config import SETTINGS, Settings, any_host
from dctnet.server.gunicorn_app import gunicorn_options
from tests.support.repo import ROOT, repository_files


def instructions() -> list[tuple[str, str, str]]:
    """The Dockerfile's instructions: stage, keyword and arguments."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    found, stage = [], ""
    for word, rest in (line.split(maxsplit=1) for line in lines if line):
        if word == "FROM":
            stage = rest.split(" AS ")[1]
        found.append((stage, word, rest))
    return found


def of(word: str, stage: str | None = None) -> list[str]:
    """The arguments of an instruction, in all stages or in one."""
    return [rest for found, each, rest in instructions() if each == word and stage in (None, found)]


STAGES = {name: base for base, name in (rest.split(" AS ") for rest in of("FROM"))}
"""Every stage with its base."""


def chain(stage: str) -> list[str]:
    """A stage and its bases, the base image last."""
    return [stage, *chain(STAGES[stage])] if stage in STAGES else [stage]


def ignored(path: str) -> bool:
    """Whether .dockerignore excludes a path; the last matching line counts."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").replace("**/", "\0").replace("*", "[^/]*")
            if re.match(pattern.replace("\0", "(.*/)?") + "(/|$)", path):
                verdict = not line.startswith("!")
    return verdict


def test_copied_files_are_tracked_and_not_ignored():
    kept = [str(path) for path in repository_files()]
    copies = [rest.split()[:-1] for rest in of("COPY") if not rest.startswith("--from")]
    sources = [source.rstrip("/") for each in copies for source in each]
    assert len(sources) >= 7
    for source in sources:
        listed = [path for path in kept if path == source or path.startswith(f"{source}/")]
        assert listed, source
        assert [path for path in listed if ignored(path)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "tests/conftest.py",
        "service/shipped_styles/upstream.py",
        "service/native/build/driver",
        "service/dctnet/runtimes/lib/libdctnet-x86-64-v3.so",
        "service/dctnet/cli/__pycache__/serve.cpython-311.pyc",
        "requirements/dev.txt",
    ],
)
def test_build_context_contains_only_copied_files(path):
    assert ignored(path)


def test_pip_requires_hashes_and_keeps_no_cache():
    installs = re.findall(r"pip [^&]* install [^&]*", " && ".join(of("RUN")))
    assert len(installs) == 5
    for command in installs:
        assert "--no-deps" in command
        assert "--no-cache-dir" in command
        assert (
            "--require-hashes --requirement requirements/" in command
            or command.rstrip().endswith("--no-index /dist/*.whl")
        )


@pytest.mark.parametrize("target", ["runtime", "with-model", "tensorflow"])
def test_targets_contain_no_build_stage(target):
    assert chain(target)[-2:] == ["confined", "${BASE}"]
    programs = " ".join(run for stage in chain(target)[:-1] for run in of("RUN", stage))
    assert not re.search(r"\b(apt-get|pip|make|g\+\+)\b", programs)
    environments = {"runtime": "lean", "with-model": "lean", "tensorflow": "complete"}
    copies = [rest for stage in chain(target)[:-1] for rest in of("COPY", stage)]
    assert f"--from={environments[target]} /opt/dctnet /opt/dctnet" in copies


def test_default_target_is_runtime():
    assert list(STAGES)[-1] == "runtime"


def test_base_image_is_shared_and_pinned_where_dependabot_renews_it():
    assert of("ARG", "") == ["BASE=pinned"]
    assert {base for name, base in STAGES.items() if name != "pinned"} - set(STAGES) == {
        "${BASE}",
        "scratch",
    }
    # Dependabot reads the image in FROM, and no build argument.
    assert re.fullmatch(r"python:3\.12-slim-bookworm@sha256:[0-9a-f]{64}", STAGES["pinned"])
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    assert "docker" in {each["package-ecosystem"] for each in updates}


def test_user_is_numeric_for_run_as_non_root():
    assert of("USER") == ["10001:10001"]
    assert "--owner=10001 --group=10001 /models" in of("RUN", "confined")[0]


def test_entrypoint_receives_signals_without_shell():
    assert of("ENTRYPOINT") == ['["dctnet"]']
    assert of("CMD") == ['["serve"]']
    assert of("STOPSIGNAL") == ["SIGTERM"]


def test_default_ports_on_all_addresses():
    (variables,) = of("ENV", "confined")
    pairs = [pair.split("=", 1) for pair in variables.split()]
    ours = {name: text for name, text in pairs if name.startswith("DCTNET_")}
    assert ours.keys() <= {setting.variable for setting in SETTINGS}
    image, default = Settings.from_environment(ours), Settings.from_environment({})
    for field in "bind", "management_bind":
        assert getattr(image, field).host == any_host()
        assert getattr(image, field).port == getattr(default, field).port
    assert of("EXPOSE") == [f"{default.bind.port} {default.management_bind.port}"]
    assert str(image.models_dir) == "/models"


def test_health_check_requests_both_probes_without_shell():
    (check,) = of("HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    port = Settings.from_environment({}).management_bind.port
    assert f"http://127.0.0.1:{port}/" in command[2]
    assert "('livez', 'readyz')" in command[2]


def test_images_are_labelled_with_their_source():
    for stage in "tensorflow", "serving":
        (labels,) = of("LABEL", stage)
        for name in "version", "revision", "source":
            assert f'org.opencontainers.image.{name}="${{{name.upper()}}}"' in labels
            assert name.upper() in of("ARG", stage)


def test_docker_stop_timeout_is_shorter_than_graceful_shutdown():
    # The reason for --stop-timeout in docs/image.md.
    graceful = gunicorn_options(Settings.from_environment({}))["graceful_timeout"]
    (given,) = set(re.findall(r"--stop-timeout[= ](\d+)", (ROOT / "docs/image.md").read_text()))
    assert graceful + 5 == int(given)
