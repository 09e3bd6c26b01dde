"""Repository: locks, version, make targets, skipped tests."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pip._internal.models.index import PyPI, TestPyPI

import dctnet
from tests.support.repo import ROOT, environment, repository_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]

# Requirements of each lock, smaller ones first.
CORE = PROJECT["project"]["dependencies"] + GROUPS["build"]
REFERENCE = CORE + PROJECT["project"]["optional-dependencies"]["reference"]
TRACING = CORE + PROJECT["project"]["optional-dependencies"]["tracing"]
HEIC = CORE + PROJECT["project"]["optional-dependencies"]["heic"]
DEV = REFERENCE + TRACING + HEIC + GROUPS["dev"]
LOCKS = {
    "core": CORE,
    "reference": REFERENCE,
    "tracing": TRACING,
    "heic": HEIC,
    "dev": DEV,
    "shipped-styles": DEV + GROUPS["shipped-styles"],
    "lock": GROUPS["lock"],
    "zig": GROUPS["zig"],
    "go": GROUPS["go"],
    "axe": GROUPS["axe"],
    "hadolint": GROUPS["hadolint"],
    "zizmor": GROUPS["zizmor"],
    "kubernetes-schemas": GROUPS["kubernetes-schemas"],
}
NESTED = [
    *pairwise(("core", "reference", "dev", "shipped-styles")),
    ("core", "tracing"),
    ("tracing", "dev"),
    ("core", "heic"),
    ("heic", "dev"),
]


def blocks(name: str) -> list[str]:
    """Entries of a lock: the pin in the first line, then its hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return re.split(r"\n(?=\S)", text.rstrip("\n"))


def pins(name: str) -> set[Requirement]:
    return {Requirement(block.splitlines()[0].removesuffix("\\")) for block in blocks(name)}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_has_exact_versions_with_hashes(name):
    for block in blocks(name):
        pin, *hashes = block.splitlines()
        assert re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; [^#]+)? \\", pin)
        assert hashes
        for line in hashes:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_satisfies_the_requirements(name):
    locked: dict[str, list[Requirement]] = {}
    for pin in pins(name):
        locked.setdefault(canonicalize_name(pin.name), []).append(pin)
    for wanted in map(Requirement, LOCKS[name]):
        versions = [
            specifier.version
            for pin in locked.get(canonicalize_name(wanted.name), [])
            for specifier in pin.specifier
        ]
        assert versions, f"{wanted.name} is in no lock: run `make lock`"
        assert all(wanted.specifier.contains(locked_version) for locked_version in versions)


@pytest.mark.parametrize(("smaller", "larger"), NESTED)
def test_nested_locks_have_the_same_versions(smaller, larger):
    # Without markers: other packages of the larger lock may need a package on more platforms.
    small, large = (
        {(pin.name, str(pin.specifier)) for pin in pins(name)} for name in (smaller, larger)
    )
    assert small <= large


def registry_hosts() -> set[str]:
    """Hosts of package registries, joined here so that this file has none."""
    configured = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    elsewhere = {
        ("crates", "io"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
    }
    hosts = {".".join(host) for host in elsewhere}
    hosts |= {PyPI.netloc, PyPI.file_storage_domain, TestPyPI.netloc, TestPyPI.file_storage_domain}
    hosts |= {urlsplit(url).hostname or "" for url in re.findall(r"https?://[^\s'\"]+", configured)}
    # A local index is not a registry, and the documentation names its address.
    return {host for host in hosts if re.search(r"[a-z]\.[a-z]", host)}


def test_no_file_names_a_package_registry():
    hosts = [host.encode() for host in registry_hosts()]
    assert len(hosts) >= 8
    files = [ROOT / name for name in repository_files()]
    assert ROOT / "pyproject.toml" in files
    naming = [
        str(file.relative_to(ROOT))
        for file in files
        for content in [file.read_bytes()]
        if any(host in content for host in hosts)
    ]
    assert naming == []


def test_version_is_the_same_everywhere():
    headings = re.findall(r"^## \[(\d\S*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == dctnet.__version__
    assert version("dctnet") == dctnet.__version__


def test_make_help_lists_every_phony_target():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"install", "run", "test"} <= set(targets)
    assert re.findall(r"^  make (\S+) +\S", listed, re.MULTILINE) == targets


def test_skipped_test_is_reported_and_fails_in_ci(tmp_path):
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_passes(): pass\n"
        "def test_needs_curl(): pytest.skip('needs curl: apt-get install curl')\n"
    )
    program = (
        "import os, sys, pytest\n"
        "for os.environ['CI'] in ('', '0', '1', 'true'):\n"
        "    status = pytest.main(sys.argv[1:])\n"
        "    print('status', int(status), 'end')\n"
    )
    options = ["-p", "no:cacheprovider", "-c", os.devnull, tmp_path]
    run = subprocess.run(
        [sys.executable, "-c", program, *options],
        cwd=tmp_path,
        env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD=1),
        capture_output=True,
        text=True,
        check=True,
    )
    *runs, rest = run.stdout.split(" end\n")
    assert rest == ""
    for status, output in zip((0, 0, 1, 1), runs, strict=True):
        assert output.endswith(f"status {status}")
        assert "test_needs_curl: needs curl: apt-get install curl\n" in output
        assert ("these skips fail the run" in output) == bool(status)


@pytest.mark.xdist_group("named")
def test_xdist_group_is_part_of_the_node_id(request):
    assert request.node.nodeid.endswith("@named") == ("PYTEST_XDIST_WORKER" in os.environ)
