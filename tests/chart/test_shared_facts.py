"""Copies in the chart of facts of the service: shared limits, styles, and memory per style."""

import base64
import re
from math import ceil

import jsonschema
import pytest
import yaml

from dctnet import memory, shared_limits
from dctnet.config import MAX_STYLES, MIB, ROUTE_SEGMENTS, SETTINGS, Settings, SettingsError
from dctnet.metrics import CARTOON_ROUTES, SECONDS
from dctnet.models.manifest import SOURCE_FILES, FileRecord, source_digest
from dctnet.models.pins import Pin
from dctnet.models.styles import SHIPPED_STYLES, STYLES
from tests.support.chart import (
    BAKED,
    CHART,
    GATEWAY,
    INGRESS,
    SCHEMA,
    Rejected,
    merge_values,
    render,
    schema_at,
)
from tests.support.repo import ROOT

STATIC = ROOT / "service/dctnet/api/static"
TIMEOUTS = "templates/_timeouts.tpl"
REQUEST_S, DRAIN_S = 30.5, 7.25


def assert_copy(place: str, copy: object, *names: str) -> None:
    """Fail with the file that has an outdated copy of a limit, or of a sum of limits."""
    source = sum(getattr(shared_limits, name) for name in names)
    limit = " + ".join(names)
    assert copy == source, (
        f"helm/dctnet/{place} has {copy}, service/dctnet/shared_limits.py has {limit} = {source}"
    )


def numbers(file: str, pattern: str) -> list[int]:
    """Numbers that a pattern captures in a file of the chart, in their order."""
    found = re.findall(pattern, (CHART / file).read_text())
    assert found, f"helm/dctnet/{file} lacks {pattern}"
    return [int(number) for number in found]


@pytest.fixture(scope="module")
def objects():
    timeouts = {"timeouts": {"request": REQUEST_S, "drainDelay": DRAIN_S}}
    return render(merge_values(INGRESS, GATEWAY, timeouts))


def annotation(objects, name: str) -> int:
    annotations = objects.one("Ingress")["metadata"]["annotations"]
    return int(annotations[f"nginx.ingress.kubernetes.io/proxy-{name}"])


def test_termination_grace_period(objects):
    grace = objects.pod["spec"]["terminationGracePeriodSeconds"]
    names = "GRACEFUL_MARGIN_S", "TERMINATION_MARGIN_S"
    assert_copy(TIMEOUTS, grace - ceil(DRAIN_S + REQUEST_S), *names)


def shortest_grace_period() -> int:
    """The shortest termination grace period that the chart accepts, searched from below."""
    timeouts = {"request": REQUEST_S, "drainDelay": DRAIN_S}
    for grace in range(ceil(DRAIN_S + REQUEST_S), 3600):
        try:
            render(merge_values(BAKED, {"timeouts": timeouts | {"terminationGracePeriod": grace}}))
        except Rejected:
            continue
        return grace
    raise AssertionError


def test_graceful_timeout_in_the_validation_of_the_grace_period():
    margin = shortest_grace_period() - 1 - ceil(DRAIN_S + REQUEST_S)
    assert_copy(TIMEOUTS, margin, "GRACEFUL_MARGIN_S")
    validation = "templates/_validation.tpl"
    (margin,) = numbers(validation, r"timeouts\.drainDelay \+ timeouts\.request \+ (\d+),")
    assert_copy(validation, margin, "GRACEFUL_MARGIN_S")


@pytest.mark.parametrize("name", ["read-timeout", "send-timeout"])
def test_proxy_read_timeout(objects, name):
    assert_copy(TIMEOUTS, annotation(objects, name) - ceil(REQUEST_S), "PROXY_READ_MARGIN_S")


def test_proxy_total_timeout(objects):
    (rule,) = objects.one("HTTPRoute")["spec"]["rules"]
    total_s = int(rule["timeouts"]["request"].removesuffix("s"))
    assert_copy(TIMEOUTS, total_s - ceil(REQUEST_S), "PROXY_TOTAL_MARGIN_S")


def test_proxy_body_size(objects):
    settings = objects.settings
    overhead = annotation(objects, "body-size") - int(settings["DCTNET_MAX_BODY_BYTES"])
    assert_copy(TIMEOUTS, overhead, "FORM_OVERHEAD_BYTES")


def test_spare_threads_in_the_memory_limit():
    (threads,) = numbers("templates/_resources.tpl", r"\(add \$admitted (\d+)\) 100 \$KiB")
    assert_copy("templates/_resources.tpl", threads, "SPARE_THREADS")


def test_default_working_side(objects):
    side = int(objects.settings["DCTNET_MAX_WORKING_SIDE"])
    assert_copy("values.yaml", side, "MAX_WORKING_SIDE")
    assert Settings.from_environment({}).max_working_side == side


def test_comments_of_the_values():
    (grace,) = numbers("values.yaml", r"drainDelay \+ request \+ (\d+)")
    assert_copy("values.yaml", grace, "GRACEFUL_MARGIN_S", "TERMINATION_MARGIN_S")
    read, total = numbers("values.yaml", r"is request \+ (\d+)\.")
    assert_copy("values.yaml", read, "PROXY_READ_MARGIN_S")
    assert_copy("values.yaml", total, "PROXY_TOTAL_MARGIN_S")
    (kib,) = numbers("values.yaml", r"(\d+) KiB more")
    assert_copy("values.yaml", kib * 1024, "FORM_OVERHEAD_BYTES")


def test_table_of_timeouts_in_the_readme():
    readme = "README.md.gotmpl"
    read, total = numbers(readme, r"\| request \+ (\d+) s \|")
    assert_copy(readme, read, "PROXY_READ_MARGIN_S")
    assert_copy(readme, total, "PROXY_TOTAL_MARGIN_S")
    (graceful,) = numbers(readme, r"drain delay \+ request \+ (\d+) s")
    assert_copy(readme, graceful, "GRACEFUL_MARGIN_S")
    (termination,) = numbers(readme, r"graceful \+ (\d+) s")
    assert_copy(readme, termination, "TERMINATION_MARGIN_S")


MODEL_TPL, VALUES = "templates/_model.tpl", CHART / "values.yaml"


@pytest.mark.parametrize(
    ("name", "styles"), [("publicStyles", STYLES), ("shippedStyles", SHIPPED_STYLES)]
)
def test_names_of_styles(name, styles):
    template = (CHART / MODEL_TPL).read_text()
    (copy,) = re.findall(rf'"dctnet\.{name}" -}}}}\n{{{{- list (.*) \| toJson', template)
    assert re.findall(r'"(.+?)"', copy) == list(styles), f"dctnet.{name} in {MODEL_TPL}"
    comment = VALUES.read_text().partition("# -- Styles to serve;")[2].partition("  styles: []")[0]
    assert set(styles) <= set(re.findall(r"`(.+?)`", comment))


def test_icon_of_the_web_ui():
    icon = base64.b64encode((STATIC / "icon.svg").read_bytes()).decode()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["icon"] == f"data:image/svg+xml;base64,{icon}"


def test_maximum_of_styles():
    assert schema_at(["model", "styles"])["maxItems"] == MAX_STYLES
    (setting,) = [each for each in SETTINGS if each.variable == "DCTNET_STYLE_CACHE"]
    bounds = schema_at(["model", "styleCache"])
    assert setting.parse(str(bounds["minimum"])) == bounds["minimum"] == 1
    assert setting.parse(str(bounds["maximum"])) == bounds["maximum"] == MAX_STYLES


def test_comment_of_the_style_cache():
    (mib,) = numbers("values.yaml", r"weights stay transformed, (\d+) MiB each")
    assert mib * MIB == memory.HOT_STYLE_BYTES


def test_pin_of_the_production_profile_is_that_of_the_documented_checksums():
    page = (ROOT / "docs/models.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| [\d,]+ \| `([0-9a-f]{64})` \|", page, re.MULTILINE)
    assert {name for name, _ in rows} == set(SOURCE_FILES)
    digest = source_digest({name: FileRecord(checksum, 0) for name, checksum in rows})
    pin = str(Pin(digest, of_source=True))
    assert pin in page
    profile = yaml.safe_load((CHART / "ci/ha-values.yaml").read_text())
    assert profile["model"]["digests"] == {"anime": pin}


def test_path_prefixes():
    allowed = ["", "/a", "/team/cartoons", "/~me/a.b_c-d", "/v10", "/docs2/v1", "/" + "a" * 199]
    rejected = [
        "//",
        "/a/",
        "//a",
        "/a//b",
        "/..",
        "/a/.",
        "/a b",
        "/a?b",
        "a",
        "/ä",
        "/" + "a" * 200,
    ]
    rejected += [f"/{segment}{rest}" for segment in ROUTE_SEGMENTS for rest in ("", "/a")]
    schema = schema_at(["expose", "path"]) | {"$defs": SCHEMA["$defs"]}
    is_valid = jsonschema.Draft7Validator(schema).is_valid
    assert [path for path in allowed if not is_valid(path or "/")] == []
    assert [path for path in rejected if is_valid(path)] == []
    for path in allowed:
        assert Settings.from_environment({"DCTNET_PATH_PREFIX": path}).path_prefix == path
    for path in rejected:
        with pytest.raises(SettingsError, match="a path such as /cartoons"):
            Settings.from_environment({"DCTNET_PATH_PREFIX": path})


def test_buckets_of_the_latency_objective():
    (listed,) = re.findall(
        r"\$service := list ([\d. ]+) -", (CHART / "templates/_slo.tpl").read_text()
    )
    assert [float(bucket) for bucket in listed.split()] == list(SECONDS)


def test_routes_of_the_objectives():
    (routes,) = set(re.findall(r'route=~"(.*?)"', (CHART / "templates/_slo.tpl").read_text()))
    assert routes == "|".join(CARTOON_ROUTES)
