"""Grafana dashboards, generated from dashboards.yaml: `make dashboards` writes them."""

import json
import re
from typing import Any

import yaml

from dctnet.admission import RejectionReason
from dctnet.lifecycle.state import State
from dctnet.metrics import CARTOON_ROUTES, STAGES, Metrics
from tests.support.repo import ROOT

FOLDER = ROOT / "helm/dctnet/files/dashboards"
DEFINITIONS = yaml.safe_load((ROOT / "tests/support/dashboards.yaml").read_text())

Json = dict[str, Any]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RELEASE = 'namespace=~"$namespace", job=~"$job"'
SELECTORS = {"overview": RELEASE, "replica": f'{RELEASE}, pod=~"$pod"', "load-test": RELEASE}

GREEN, GREY, ORANGE, RED, BLUE = "green", "#8e8e8e", "orange", "red", "blue"
STAGE_COLORS = (GREY, BLUE, "purple", "yellow", RED, GREEN, ORANGE)
STATE_COLORS = (BLUE, GREEN, RED, ORANGE, GREY, "dark-red")
STATES = dict(zip(State, STATE_COLORS, strict=True))

PALETTES = {
    "outcome": {"ok": GREEN, "rejected": ORANGE, "error": RED, "client": GREY},
    "load outcome": {"ok": GREEN, "rejected": ORANGE, "failed": RED, "invalid": "dark-red"},
    # 503 is a rejection, as in the label `outcome`. The last match decides.
    "status": dict(
        zip(
            ("/^[23]/", "/^4/", "/^429/", "/^5/", "/^503/", "/^504/"),
            (GREEN, GREY, ORANGE, RED, "dark-orange", "dark-red"),
            strict=True,
        )
    ),
    "percentile": {"p50": GREEN, "p95": ORANGE, "p99": RED},
    "stage": dict(zip(STAGES, STAGE_COLORS, strict=True)),
    "reason": dict(
        zip(
            RejectionReason,
            (BLUE, ORANGE, "dark-orange", "purple", "yellow", "dark-purple", "dark-blue"),
            strict=True,
        )
    ),
    "slo": {"/^acceptance/": ORANGE, "/^availability/": RED, "/^latency/": "purple"},
    "replicas": {"ready": GREEN, "desired": BLUE},
    "results": {"error": RED},
}
"""Colours by legend. Those of results and states have a meaning; others tell series apart."""

LIMITS = {"capacity": RED, "limit": RED, "maximum": RED, "slots": RED, "target": GREY}
"""Series that bound others, of these colours."""
SOFT_MAXIMA = {"none": 1, "reqps": 0.1, "ops": 0.1}
"""Ends of axes by unit, if all values are lower; zeros alone would have an axis up to 100."""

DASHED = {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}}
UNFILLED = {"id": "custom.fillOpacity", "value": 0}

LABELS = {
    name: (*labels, "le") if name.endswith("_bucket") else labels
    for name, collector in Metrics().registry._names_to_collectors.items()
    for labels in [getattr(collector, "_labelnames", ())]
}
"""Labels of each metric that code updates."""

VALUES = {
    "pod": "dctnet-5d4f8b9c7d-abcde",
    "instance": "10.0.0.1:9102",
    "reason": "waiting_bytes",
    "resource": "file_descriptors",
    "route": "/v1/queue-tickets/{ticket}",
    "stage": "background",
    "style": "sketch",
    "slo": "availability",
    "code": "200",
}
"""The longest usual value of each label in legends, for which they have room."""

MACRO = re.compile(r"\b(RATE|INCREASE|TOTAL|GAUGE)\((\w+)(?:\{(.*?)\})?((?:, \w+)*)\)")
DEPLOYED = re.compile(r"\bDEPLOYED\((\w+), (\w+)\)")
PROCESS = re.compile(r"\bPROCESS\((.+)\)$")

BURN = re.compile(r"\bBURN\((\w+)\)")
BURN_RATE = (
    r"max by (slo) (namespace_job_slo:dctnet_slo_bad_requests:increase\1{SELECT}"
    r" / ((1 - namespace_job_slo:dctnet_slo_objective:ratio{SELECT})"
    r" * (namespace_job_slo:dctnet_slo_requests:increase\1{SELECT} > 0))"
    r" or 0 * namespace_job_slo:dctnet_slo_requests:increase\1{SELECT})"
)

UP = (
    "max by (namespace, pod) (up{SELECT} and on (namespace, job)"
    " group by (namespace, job) (last_over_time(dctnet_build_info{SELECT}[1h])))"
)
"""1 for each replica that Prometheus can scrape, 0 for the others: `up` is of all jobs."""


def expand(query: str, select: str) -> str:
    """Expand the macros of a query for a dashboard with this selector."""
    query = state_numbers() if query == "STATE" else query
    query = PROCESS.sub(
        r"max by (pod) (\1 and on (namespace, job, instance) dctnet_build_info{SELECT})", query
    )
    query = BURN.sub(BURN_RATE, query)
    query = re.sub(r"\bUP\b", UP, query)
    query = DEPLOYED.sub(_deployed, query)
    query = MACRO.sub(_once_per_pod, query)
    return (
        query.replace("SELECT", select)
        .replace("CARTOONS", f'route=~"{"|".join(CARTOON_ROUTES)}"')
        .replace("CONTAINER", 'namespace=~"$namespace", pod=~"$pod", container="dctnet"')
        .replace("CLIENT", 'instance=~"$client"')
    )


def _once_per_pod(macro: re.Match[str]) -> str:
    function, metric, where, rest = macro.groups()
    selected = f"{metric}{{SELECT{f', {where}' if where else ''}}}"
    labels = rest.removeprefix(", ")
    if function == "GAUGE":
        return f"max by (pod) ({selected})"
    if function != "TOTAL":
        selected = f"{function.lower()}({selected}[$__rate_interval])"
    once = f"max by ({', '.join(('namespace', 'pod', *LABELS.get(metric, ())))}) ({selected})"
    return f"sum by ({labels}) ({once})" if labels else f"sum({once})"


def _deployed(macro: re.Match[str]) -> str:
    """Value of kube-state-metrics; pods and autoscalers are named after their Deployment."""
    metric, label = macro.groups()
    value = f'{metric}{{namespace=~"$namespace"}}'
    if label != "deployment":
        value = f'label_replace({value}, "deployment", "$1", "{label}", "(?:keda-hpa-)?(.+)")'
    pods = "last_over_time(dctnet_build_info{SELECT}[1h])"
    own = f'label_replace({pods}, "deployment", "$1", "pod", "(.+)-[^-]+-[^-]+")'
    by = "by (namespace, deployment)"
    return f"sum(max {by} ({value}) and on (namespace, deployment) group {by} ({own}))"


def state_numbers() -> str:
    """Return a query of each replica's state as its number in State, from 1, or 0."""
    states = [f'{i} * GAUGE(dctnet_state{{state="{state}"}})' for i, state in enumerate(STATES, 1)]
    return f"{' + '.join(states)} or (max by (pod) (UP) == 0)"


def rollouts() -> Json:
    """Return the annotation of new ReplicaSets, which needs no kube-state-metrics."""
    build = f"dctnet_build_info{{{RELEASE}}}"
    new, old = (
        f'label_replace({series}, "replicaset", "$1", "pod", "(.+)-[^-]+")'
        for series in (build, f"last_over_time({build}[10m] offset 1m)")
    )
    by = "(namespace, job, replicaset"
    return {
        "name": "Rollouts",
        "enable": True,
        "iconColor": BLUE,
        "datasource": SOURCE,
        "expr": f"group by {by}, version) ({new}) unless on {by}) {old}",
        "step": "30s",
        "titleFormat": "Rollout of {{namespace}}/{{job}}",
        "textFormat": "Version {{version}}, ReplicaSet {{replicaset}}",
    }


def fixed_color(name: str, color: str) -> Json:
    """Return an override: the colour of a series by its name, or by /a regular expression/."""
    properties: list[Json] = [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]
    properties += [DASHED, UNFILLED] if name in LIMITS else []
    matcher = "byRegexp" if name.startswith("/") else "byName"
    return {"matcher": {"id": matcher, "options": name}, "properties": properties}


def value_mapping(values: dict[str, Json]) -> Json:
    """Return a mapping of values to texts and colours, in this order."""
    options = {value: {"index": i} | each for i, (value, each) in enumerate(values.items())}
    return {"type": "value", "options": options}


def panel(spec: Json, select: str) -> Json:
    """Return a panel without its position."""
    kind = spec.get("type", "timeseries")
    palette = PALETTES.get(spec.get("each", spec.get("colors")), {})
    series = spec.get("series") or {
        name: spec["query"].replace("EACH", name.removeprefix("p")) for name in palette
    }
    steps = [
        {"color": color, "value": None if value == "none" else value}
        for value, color in spec.get("steps", {"none": GREEN}).items()
    ]
    defaults: Json = {"unit": spec.get("unit", "none")}
    defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    defaults |= {key: spec[key] for key in ("decimals", "noValue") if key in spec}
    colors = palette | {name: color for name, color in LIMITS.items() if name in series}
    overrides = [fixed_color(*each) for each in colors.items()]
    if "slo" in spec.get("colors", ""):
        matcher = {"id": "byRegexp", "options": "/ objective$/"}
        overrides.append({"matcher": matcher, "properties": [DASHED, UNFILLED]})
    made: Json = {
        "type": kind,
        "title": spec["title"],
        "description": spec["description"],
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expand(query, select),
                "legendFormat": legend,
                "range": kind != "table",
                "instant": kind == "table",
                "format": kind if kind in {"table", "heatmap"} else "time_series",
            }
            | ({"exemplar": True} if spec.get("exemplars") else {})
            for number, (legend, query) in enumerate(series.items())
        ],
    }
    return made | STYLES[kind](spec, made["fieldConfig"], list(series))


def style_timeseries(spec: Json, config: Json, legends: list[str]) -> Json:
    """The legend is a table of a fixed width, so that names are not cut off."""
    stacked = spec.get("stacked", False)
    if config["defaults"]["unit"] in {"none", "reqps", "ops", "percentunit"}:
        config["defaults"].setdefault("decimals", 2)
    config["defaults"] |= {} if "min" in spec else {"min": 0}
    config["defaults"]["custom"] = {
        # Without a line, a series of zeros does not outline the stack in its colour.
        "lineWidth": 0 if stacked else 1,
        "fillOpacity": 70 if stacked else spec.get("fill", 8),
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if "steps" in spec else "off"},
    }
    if soft_max := spec.get("softMax", SOFT_MAXIMA.get(config["defaults"]["unit"])):
        config["defaults"]["custom"]["axisSoftMax"] = soft_max
    longest = max(len(re.sub(r"{{(\w+)}}", lambda m: VALUES[m[1]], it)) for it in legends)
    # Not the last value that a replica had before it was gone.
    calcs = ["last"] if longest > len("background") else ["last", "max"]
    legend = {
        "displayMode": "table",
        "placement": "right",
        "width": 65 + 7 * longest + 85 * len(calcs),
        "showLegend": True,
        "calcs": calcs,
    }
    return {"options": {"legend": legend, "tooltip": {"mode": "multi", "sort": "none"}}}


def style_stat(spec: Json, config: Json, legends: list[str]) -> Json:
    """One large value per series, above its line."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "value_and_name" if legends[0] else "value",
        "orientation": "vertical",
    }
    return {"options": options}


def style_heatmap(spec: Json, config: Json, legends: list[str]) -> Json:
    """Buckets by time."""
    options = {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
        "yAxis": {"unit": config["defaults"]["unit"], "axisPlacement": "left"},
        "rowsFrame": {"layout": "auto"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False},
    }
    return {"options": options}


def style_state_timeline(spec: Json, config: Json, legends: list[str]) -> Json:
    """States by number, as in STATES, or 0."""
    states = {
        str(i): {"text": state, "color": color}
        for i, (state, color) in enumerate({"unreachable": "purple", **STATES}.items())
    }
    config["defaults"] |= {"mappings": [value_mapping(states)]}
    config["defaults"]["custom"] = {"lineWidth": 0, "fillOpacity": 80}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    return {"options": {"mergeValues": True, "showValue": "never", "legend": legend}}


def style_table(spec: Json, config: Json, legends: list[str]) -> Json:
    """Labels of an instant query as columns."""
    for column, colors in spec.get("cells", {}).items():
        mapping = value_mapping({value: {"color": color} for value, color in colors.items()})
        properties = [
            {"id": "mappings", "value": [mapping]},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
            {"id": "custom.width", "value": 90},
        ]
        matcher = {"id": "byName", "options": column}
        config["overrides"].append({"matcher": matcher, "properties": properties})
    columns = spec["columns"]
    organize = {
        "excludeByName": dict.fromkeys(("Time", "Value", "namespace"), True),
        "indexByName": {name: i for i, name in enumerate(columns)},
        "renameByName": columns,
    }
    transformations = [{"id": "organize", "options": organize}]
    return {"options": {"showHeader": True, "cellHeight": "sm"}, "transformations": transformations}


STYLES = {
    "timeseries": style_timeseries,
    "stat": style_stat,
    "heatmap": style_heatmap,
    "state-timeline": style_state_timeline,
    "table": style_table,
}


def variable(name: str, label: str, query: str) -> Json:
    """Return a variable with the values of a label; by default it selects all."""
    found = f"label_values({query})"
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "definition": found,
        "query": {
            "qryType": 1,
            "query": found,
            "refId": "PrometheusVariableQueryEditor-VariableQuery",
        },
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


VARIABLES = [
    {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"},
    variable("namespace", "Namespace", "dctnet_build_info, namespace"),
    variable("job", "Release", 'dctnet_build_info{namespace=~"$namespace"}, job'),
]
OWN_VARIABLES = {
    "replica": [variable("pod", "Replica", f"dctnet_build_info{{{RELEASE}}}, pod")],
    "load-test": [variable("client", "Load client", "dctnet_load_sent_total, instance")],
}


def dashboard(name: str, spec: Json) -> Json:
    """Return a dashboard, with links to the others."""
    panels: list[Json] = []
    y = 0
    for row in spec["rows"]:
        height = row.get("height", 1)
        made = [panel(each, SELECTORS[name]) for each in row.get("panels", ())]
        widths = [each.get("width", 8) for each in row.get("panels", ())]
        if heading := row.get("heading"):
            made = [{"type": "row", "title": heading, "collapsed": False, "panels": []}]
            widths = [24]
        for i, each in enumerate(made):
            position = {"x": sum(widths[:i]), "y": y, "w": widths[i], "h": height}
            panels.append({"id": len(panels) + 1, "gridPos": position} | each)
        y += height
    links = [
        {"type": "link", "title": other["title"], "url": f"/d/dctnet-{uid}", "icon": "dashboard"}
        | {"includeVars": True, "keepTime": True}
        for uid, other in DEFINITIONS.items()
        if uid != name
    ]
    return {
        "uid": f"dctnet-{name}",
        "title": f"dctnet / {spec['title']}",
        "description": spec["description"],
        "tags": ["dctnet"],
        "schemaVersion": 39,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": links,
        "annotations": {"list": [rollouts()]},
        "templating": {"list": [*VARIABLES, *OWN_VARIABLES.get(name, ())]},
        "panels": panels,
    }


def dashboards() -> dict[str, str]:
    """Return the content of each file in FOLDER, by name."""
    made = {f"{name}.json": dashboard(name, spec) for name, spec in DEFINITIONS.items()}
    return {name: json.dumps(each, indent=1) + "\n" for name, each in made.items()}


if __name__ == "__main__":
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text)
