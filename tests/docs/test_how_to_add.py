"""Lists that docs/how-to-add.md names are complete, and the paths that it names exist."""

import json
import re

import pytest

from dctnet.config import SETTINGS
from dctnet.models.styles import STYLES
from tests.rules.test_rules import all_alerts
from tests.support.markdown import tables
from tests.support.repo import ROOT

CHART = ROOT / "helm" / "dctnet"
DOCS = ROOT / "docs"
PACKAGE = ROOT / "service" / "dctnet"
GENERATOR = re.compile(r"^def generator\(\w+: Readable, ", re.MULTILINE)
PATH = re.compile(r"[\w.-]+/(?:[\w.-]+/)*[\w.-]*|[\w-]+\.(?:py|tpl|md|env)")


@pytest.mark.parametrize("name", ["architecture.md", "how-to-add.md"])
def test_paths_in_tables_exist(name):
    cells = " ".join(
        cell for table in tables(DOCS / name) for row in table for cell in row.values()
    )
    paths = [code for code in re.findall(r"`([^`]+)`", cells) if PATH.fullmatch(code)]
    assert len(paths) > 20
    roots = (ROOT, PACKAGE, CHART / "templates")
    missing = [path for path in paths if not any((root / path).exists() for root in roots)]
    assert missing == []


def test_api_page_names_every_route():
    routes = re.findall(r'route\(\s*"([^"]+)"', (PACKAGE / "app.py").read_text())
    assert len(routes) >= 10
    page = (DOCS / "api.md").read_text()
    for route in routes:
        documented = re.sub(r"<path:\w+>", "", route)
        documented = re.sub(r"<(\w+)>", lambda match: match[1].upper(), documented)
        assert re.search(rf"`(?:GET |POST )?{re.escape(documented)}`", page), documented


def test_monitoring_page_lists_every_alert():
    links = [f"[{alert}](runbook.md#{alert.lower()})" for alert in all_alerts()]
    rows = [
        row["alert"]
        for table in tables(DOCS / "monitoring.md")
        for row in table
        if "fires when" in row
    ]
    assert rows == links


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_lists_every_style(name):
    text = (ROOT / name).read_text()
    assert [style for style in STYLES if f"`{style}`" not in text] == []


def test_setting_and_chart_schema_allow_every_runtime():
    modules = (PACKAGE / "runtimes").glob("*.py")
    runtimes = {path.stem for path in modules if GENERATOR.search(path.read_text())}
    assert set(schema_enum("inference", "runtime")) == {"auto", *runtimes}
    (setting,) = (setting for setting in SETTINGS if setting.variable == "DCTNET_RUNTIME")
    assert {setting.parse(runtime) for runtime in runtimes} == runtimes


def schema_enum(group: str, value: str) -> list[str]:
    """Return the values that the chart's schema allows for ``group.value``."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    enum: list[str] = schema["properties"][group]["properties"][value]["enum"]
    return enum


def test_web_ui_translates_every_style():
    (chinese,) = PACKAGE.rglob("zh.js")
    names = re.findall(r'^\s*"?([\w-]+)"?: ', chinese.read_text(), re.MULTILINE)
    assert set(STYLES) <= set(names)


def test_development_page_lists_every_make_target():
    targets = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    page = (DOCS / "development.md").read_text()
    assert len(targets) > 20
    assert [
        target for target in targets if f"`make {target}`" not in page and target != "help"
    ] == []
