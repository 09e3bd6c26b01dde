"""The migration page from Gunicorn and nginx names existing settings, with their values."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dctnet.config import SETTINGS, Settings
from tests.support.markdown import tables
from tests.support.repo import ROOT

PAGE = ROOT / "docs" / "from-nginx-supervisor.md"
SINGLE_HOST = ROOT / "single-host"
COLUMNS = ("Kubernetes", "single host")
COMMANDS = {"helm upgrade"}

CELLS = [
    cell
    for table in tables(PAGE)
    for row in table
    for column in COLUMNS
    for cell in re.findall(r"`([^`]+)`", row.get(column, ""))
]
VALUES = yaml.safe_load((ROOT / "helm" / "dctnet" / "values.yaml").read_text())
VARIABLES = {setting.variable: setting.field for setting in SETTINGS}


@pytest.fixture(scope="module")
def host() -> Any:
    """A single host with the default settings."""
    sys.path.insert(0, str(SINGLE_HOST))
    try:
        from render import HostConfig
    finally:
        sys.path.remove(str(SINGLE_HOST))
    return HostConfig.read(Path("/dev/null"))


@pytest.fixture(scope="module")
def directives(host: Any) -> set[str]:
    """The rendered directives of nginx and supervisord."""
    texts = (
        host.render((SINGLE_HOST / "templates" / name).read_text())
        for name in ("nginx.conf", "supervisor.conf")
    )
    return {line.strip().rstrip(";{ ") for text in texts for line in text.splitlines()}


def routes() -> set[str]:
    """Every path of the API and the management port."""
    api = re.findall(r'route\("([^"]+)"', (ROOT / "service/dctnet/app.py").read_text())
    listener = (ROOT / "service/dctnet/server/management.py").read_text()
    probes = (ROOT / "service/dctnet/lifecycle/probes.py").read_text()
    return {*api, *re.findall(r'"(/\w+)"', listener + probes)}


def chart_value(name: str) -> Any:
    """Return the chart's default at a dotted name; raise KeyError for an unknown one."""
    value = VALUES
    for part in name.split("."):
        value = value[part]
    return value


def mismatch(cell: str, host: Any, directives: set[str]) -> str | None:
    """Return why a cell's name or value is wrong, or None."""
    if match := re.fullmatch(r"([A-Z][A-Z_]+)(?:=(.*))?", cell):
        return _setting_mismatch(match[1], match[2], host)
    if match := re.fullmatch(r"([a-z]\w*(?:\.\w+)*)(?:: (.*))?", cell):
        try:
            actual = chart_value(match[1])
        except (KeyError, TypeError):
            pass  # A directive, such as least_conn.
        else:
            matches = match[2] is None or yaml.safe_load(match[2]) == actual
            return None if matches else f"{match[1]} is {actual!r}"
    if match := re.fullmatch(r"(?:(?:GET|POST) )?(/[\w/]*)", cell):
        return None if match[1] in routes() else "no route"
    if cell in COMMANDS or (ROOT / cell).is_file() or (SINGLE_HOST / cell).is_file():
        return None
    if any(line == cell or line.startswith(f"{cell} ") for line in directives):
        return None
    # A word of a directive, such as a program, a flag or a log file.
    whole_word = re.compile(rf"(?<![\w.-]){re.escape(cell)}(?![\w.-])")
    return None if any(whole_word.search(line) for line in directives) else "not found"


def _setting_mismatch(name: str, value: str | None, host: Any) -> str | None:
    if name in host.values:
        actual = host.values[name]
        return None if value in {None, actual} else f"{name} is {actual!r}"
    if name not in VARIABLES:
        return "no setting"
    if value is None:
        return None
    default = getattr(Settings.from_environment({}), VARIABLES[name])
    parsed = getattr(Settings.from_environment({name: value}), VARIABLES[name])
    return None if parsed == default else f"{name} is {default!r}"


def test_table_cells_match_chart_settings_and_templates(host, directives):
    assert len(CELLS) > 80
    assert all(set(COLUMNS) <= row.keys() for table in tables(PAGE) for row in table)
    actual = {cell: wrong for cell in CELLS if (wrong := mismatch(cell, host, directives))}
    assert actual == {}


def test_prose_names_existing_settings_and_values():
    prose = "\n".join(line for line in PAGE.read_text().splitlines() if line[:1] != "|")
    assert set(re.findall(r"DCTNET_[A-Z_]+", prose)) <= VARIABLES.keys()
    named = re.findall(r"`([a-z]\w*(?:\.\w+)+)`", prose)
    assert named
    for name in named:
        if not (SINGLE_HOST / name).is_file():
            chart_value(name)
