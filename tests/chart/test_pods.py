"""Pods: security contexts, probes, resources, rolling updates, and extra fields."""

from contextlib import nullcontext
from dataclasses import replace
from math import ceil
from typing import Any

import pytest
import yaml

from dctnet.config import MIB, Settings
from dctnet.memory import (
    HOT_STYLE_BYTES,
    PROCESS_BYTES,
    STYLE_BYTES,
    hot_styles,
    memory_bound,
    reserved_bytes,
)
from tests.support.chart import (
    BAKED,
    DEMO,
    JOB,
    MODELSCOPE,
    PROFILES,
    Object,
    Rejected,
    merge_values,
    nest_value,
    render,
)
from tests.support.kubernetes import containers, parse_quantity, pods

FIXED = {"autoscaling": {"enabled": False}}
EXTRA = {"name": "more", "image": "example/more:1"}


def restricted_violations(pod: Object) -> list[str]:
    """Return the violations of the Pod Security Standard `restricted`."""
    context = pod.get("securityContext", {})
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"}
    allowed |= {"persistentVolumeClaim", "projected", "secret", "image"}
    found = [f"volume {each['name']}" for each in pod.get("volumes", []) if not set(each) & allowed]
    found += [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    if context.get("sysctls"):
        found.append("sysctls")
    for each in containers(pod):
        own = context | each.get("securityContext", {})
        checks = {
            "runs as root": own.get("runAsNonRoot") is True and own.get("runAsUser") != 0,
            "may gain privileges": own.get("allowPrivilegeEscalation") is False,
            "is privileged": not own.get("privileged"),
            "keeps capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "has no seccomp profile": own.get("seccompProfile") == {"type": "RuntimeDefault"},
            "has a host port": not any("hostPort" in port for port in each.get("ports", [])),
        }
        found += [f"{each['name']} {breach}" for breach, holds in checks.items() if not holds]
    return found


@pytest.mark.promise("Cluster: pods meet the Pod Security Standard `restricted`")
def test_pods_meet_the_restricted_standard():
    seen = 0
    for profile in [None, *PROFILES]:
        for name, pod in pods(render(profile=profile)):
            seen += len(containers(pod))
            assert restricted_violations(pod) == [], name
            for each in containers(pod):
                assert each["securityContext"]["readOnlyRootFilesystem"] is True
            assert pod["automountServiceAccountToken"] is False
            assert pod["enableServiceLinks"] is False
    assert seen >= 2 * len(PROFILES) + 5  # Those of the Job, and the test pods, among them.


@pytest.mark.promise("Cluster: pods meet the Pod Security Standard `restricted`")
def test_restricted_violations_are_detected():
    wrong = [
        nest_value("podSecurityContext.runAsNonRoot", False),
        nest_value("podSecurityContext.seccompProfile", {"type": "Unconfined"}),
        nest_value("securityContext.allowPrivilegeEscalation", True),
        nest_value("securityContext.capabilities", {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
        nest_value("securityContext.privileged", True),
        nest_value("extraVolumes", [{"name": "root", "hostPath": {"path": "/"}}]),
    ]
    assert restricted_violations(render(merge_values(DEMO, *wrong)).pod["spec"]) == [
        "volume root",
        "dctnet runs as root",
        "dctnet may gain privileges",
        "dctnet is privileged",
        "dctnet keeps capabilities",
        "dctnet has no seccomp profile",
    ]
    root = render(merge_values(DEMO, nest_value("podSecurityContext.runAsUser", 0)))
    assert restricted_violations(root.pod["spec"]) == ["dctnet runs as root"]


def test_pods_run_as_the_user_of_the_image():
    context = render(DEMO).pod["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (10001,) * 3


PROBES = {
    "startupProbe": ("/startupz", 1, 120),
    "readinessProbe": ("/readyz", 2, 2),
    "livenessProbe": ("/livez", 10, 3),
}


@pytest.mark.parametrize(("variant", "memory"), [("runtime", "640Mi"), ("tensorflow", "1500Mi")])
def test_probes_and_memory_request_per_image_variant(variant, memory):
    container = render(merge_values(BAKED, {"image": {"variant": variant}})).container
    assert container["resources"]["requests"]["memory"] == memory
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8080, "management": 9090}
    for probe, (path, period, failures) in PROBES.items():
        slow = (probe, variant) == ("startupProbe", "tensorflow")
        assert container[probe] == {
            "httpGet": {"path": path, "port": "management"},
            "periodSeconds": period,
            "timeoutSeconds": 3,
            "failureThreshold": 300 if slow else failures,
        }


def test_status_of_a_failed_replica_has_the_end_of_its_log():
    container = render(DEMO).container
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_probe_settings():
    numbers = {"periodSeconds": 7, "timeoutSeconds": 8, "failureThreshold": 9}
    probes = dict.fromkeys(PROBES, numbers) | {"livenessProbe": numbers | {"periodSeconds": 6}}
    container = render(merge_values(DEMO, probes)).container
    for probe, settings in probes.items():
        assert container[probe].items() >= settings.items()


# Values that roll the pods, and whether they do so by the checksum of the ConfigMap; then values
# that do not.
ROLLS = [
    ("admission.queueSize", 65, True),
    ("timeouts.request", 61, True),
    ("requestLimits.workingSide", 1024, True),
    ("model.digests", {"mine": "0" * 64}, True),
    ("model.styles", ["mine", "3d"], True),
    ("model.stylesOptional", True, True),
    ("inference.runtime", "native", True),
    ("image.tag", "0.2.0", False),
    ("resources", {"limits": {"cpu": "2500m"}}, False),
]
STAYS = [
    ("service.type", "NodePort"),
    ("ingress.enabled", True),
    ("networkPolicy.enabled", False),
    ("autoscaling.maxReplicas", 9),
    ("helmTest.enabled", False),
    ("timeouts.proxyTotal", 99),
    ("deploymentAnnotations", {"a": "b"}),
    ("minReadySeconds", 5),
]


@pytest.mark.parametrize(("path", "value", "in_configmap"), ROLLS)
def test_changed_setting_rolls_the_pods(path, value, in_configmap):
    changed, before = render(merge_values(BAKED, nest_value(path, value))).pod, render(BAKED).pod
    assert changed != before
    checksums = {each["metadata"]["annotations"]["checksum/config"] for each in (changed, before)}
    assert len(checksums) == 1 + in_configmap


def test_unrelated_values_do_not_roll_the_pods():
    changed = merge_values(BAKED, *(nest_value(path, value) for path, value in STAYS))
    fixed = nest_value("autoscaling.enabled", False)
    assert render(changed).pod == render(merge_values(changed, fixed)).pod == render(BAKED).pod


def test_topology_spread_constraints():
    objects = render(DEMO)
    spread = objects.pod["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    for each in spread:
        assert each["maxSkew"] == 1
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["labelSelector"] == objects.deployment["spec"]["selector"]
        assert each["matchLabelKeys"] == ["pod-template-hash"]
    for own in [], [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]:
        objects = render(merge_values(DEMO, {"topologySpreadConstraints": own}))
        assert objects.pod["spec"]["topologySpreadConstraints"] == own


def test_scheduling_and_security_values_reach_all_pods():
    settings: dict[str, Any] = {
        "affinity": {"podAffinity": {}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
        "schedulerName": "batch",
        "hostUsers": False,
    }
    own = nest_value("podSecurityContext.fsGroup", 7)
    specs = dict(pods(render(merge_values(DEMO, settings, own))))
    assert specs.keys() == {"Deployment/dctnet", "Pod/dctnet-test"}
    for spec in specs.values():
        assert {name: spec[name] for name in settings} == settings
        assert spec["securityContext"]["fsGroup"] == 7
        assert spec["serviceAccountName"] == "dctnet"
    for _, spec in pods(render(DEMO)):
        assert not settings.keys() & spec.keys()


def test_labels_annotations_and_resources_reach_the_pod_of_helm_test():
    resources = {"requests": {"cpu": "10m"}, "limits": {"cpu": "1"}}
    values = {
        "podLabels": {"sidecar.istio.io/inject": "false"},
        "podAnnotations": {"a": "b"},
        "helmTest": {"resources": resources},
    }
    objects = render(merge_values(DEMO, values))
    for metadata in objects.one("Pod")["metadata"], objects.pod["metadata"]:
        assert metadata["labels"].items() >= values["podLabels"].items()
        assert metadata["annotations"].items() >= values["podAnnotations"].items()
    (container,) = objects.one("Pod")["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "10m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "256Mi"},
    }


PRIVATE_CA = {
    "env": ("extraEnv", {"name": "REQUESTS_CA_BUNDLE", "value": "/ca/ca.crt"}),
    "envFrom": ("extraEnvFrom", {"configMapRef": {"name": "proxies"}}),
    "volumeMounts": ("extraVolumeMounts", {"name": "ca", "mountPath": "/ca", "readOnly": True}),
}


def containers_of_image(values: dict[str, Any]) -> dict[str, Object]:
    """Containers of the Deployment and the Job that run the service's image, by name."""
    return {
        each["name"]: each
        for name, pod in pods(render(values))
        for each in containers(pod)
        if not name.startswith("Pod/") and each["image"] != EXTRA["image"]
    }


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (MODELSCOPE, ["fetch", "prepare", "dctnet"]),
        (JOB, ["wait-for-models", "dctnet", "fetch", "prepare"]),
    ],
)
def test_extra_fields_are_appended_to_the_containers_of_the_image(values, names):
    """A private CA and the addresses of proxies matter most where models are fetched."""
    extra = {path: [value] for path, value in PRIVATE_CA.values()}
    before = containers_of_image(values)
    after = containers_of_image(values | extra | {"extraContainers": [EXTRA]})
    assert list(before) == list(after) == names
    for name, old in before.items():
        for field, (_, value) in PRIVATE_CA.items():
            assert after[name][field] == [*old.get(field, []), value]


def test_extra_volumes_and_containers():
    values = MODELSCOPE | {
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraContainers": [EXTRA],
        "extraInitContainers": [EXTRA | {"name": "first"}],
    }
    spec = render(values).pod["spec"]
    assert spec["volumes"][-1] == {"name": "more", "emptyDir": {}}
    assert [each["name"] for each in spec["containers"]] == ["dctnet", "more"]
    assert [each["name"] for each in spec["initContainers"]] == ["first", "fetch", "prepare"]
    objects = render(values | JOB)
    names = [each["name"] for each in objects.pod["spec"]["initContainers"]]
    assert names == ["first", "wait-for-models"]
    job = objects.one("Job")["spec"]["template"]["spec"]
    assert job["volumes"][-1] == {"name": "more", "emptyDir": {}}
    assert [each["name"] for each in containers(job)] == ["fetch", "prepare"]


def test_extra_objects_are_templates():
    object_ = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": '{{ include "dctnet.fullname" . }}-more'},
        "data": {"namespace": "{{ .Release.Namespace }}"},
    }
    objects = render(merge_values(DEMO, {"extraObjects": [object_]}), release="cartoons")
    added = objects.one("ConfigMap", "cartoons-dctnet-more")
    assert yaml.safe_dump(added["data"]) == "namespace: images\n"


def test_extra_objects_as_text_may_have_numbers():
    text = """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "dctnet.fullname" . }}-more}
data: {uploads: {{ .Values.admission.maxUploads }}, list: {{ .Values.model.styles | toJson }}}
"""
    for helm in ("helm", "helm3"):
        objects = render(merge_values(DEMO, {"extraObjects": [text]}), helm=helm)
        assert objects.one("ConfigMap", "dctnet-more")["data"] == {"uploads": 64, "list": []}


def test_cpu_limit_comes_from_the_downward_api():
    (variable,) = [each for each in render(DEMO).container["env"] if "CPU" in each["name"]]
    limit = {"containerName": "dctnet", "resource": "limits.cpu", "divisor": "1m"}
    assert variable == {
        "name": "DCTNET_CPU_LIMIT_MILLICORES",
        "valueFrom": {"resourceFieldRef": limit},
    }


def bound(
    slots: int, threads: int, styles: int = 1, tensorflow: bool = False, **environ: str
) -> str:
    """Return the memory bound for these settings as a quantity in MiB."""
    settings = Settings.from_environment({"DCTNET_SLOTS": str(slots)} | environ)
    hot = hot_styles(settings, threads, styles, 0)
    total = memory_bound(settings, threads, styles=styles, hot_styles=hot, tensorflow=tensorflow)
    return f"{ceil(total / MIB)}Mi"


@pytest.mark.parametrize(
    ("resources", "requests", "limits"),
    [
        ({}, ("1", "640Mi"), ("2", bound(2, 2))),
        ({"limits": {"cpu": "500m"}}, ("500m", "640Mi"), ("500m", bound(1, 1))),
        ({"limits": {"cpu": 4}}, ("1", "640Mi"), (4, bound(4, 4, DCTNET_QUEUE_SIZE="100"))),
        ({"limits": {"cpu": "3.5"}}, ("1", "640Mi"), ("3.5", bound(3, 3, DCTNET_QUEUE_SIZE="75"))),
        ({"limits": {"memory": "610Mi"}}, ("1", "610Mi"), ("2", "610Mi")),
        ({"limits": {"memory": "1G"}}, ("1", "640Mi"), ("2", "1G")),
        ({"requests": {"cpu": "250m"}}, ("250m", "640Mi"), ("2", bound(2, 2))),
    ],
)
def test_resources_are_merged_over_consistent_defaults(resources, requests, limits):
    objects = render(merge_values(BAKED, {"resources": resources})).container["resources"]
    assert (objects["requests"]["cpu"], objects["requests"]["memory"]) == requests
    assert (objects["limits"]["cpu"], objects["limits"]["memory"]) == limits


# Values with defaults, and where the default is in the pod's spec.
POD = ("securityContext",)
CONTAINER = ("containers", 0, "securityContext")
RESOURCES = ("containers", 0, "resources")
FETCHING = ("initContainers", 0, "resources")
REMOVABLE: dict[str, tuple[Any, ...]] = {
    "resources": RESOURCES,
    **{f"resources.{each}": (*RESOURCES, each) for each in ("limits", "requests")},
    **{
        f"resources.{kind}.{each}": (*RESOURCES, kind, each)
        for kind in ("limits", "requests")
        for each in ("cpu", "memory")
    },
    "model.prepare.resources": FETCHING,
    "model.prepare.resources.limits": (*FETCHING, "limits"),
    "model.prepare.resources.limits.cpu": (*FETCHING, "limits", "cpu"),
    "podSecurityContext": POD,
    **{
        f"podSecurityContext.{each}": (*POD, each)
        for each in ("runAsUser", "runAsGroup", "fsGroup")
    },
    "securityContext": CONTAINER,
    "securityContext.capabilities": (*CONTAINER, "capabilities"),
}


@pytest.mark.parametrize("path", REMOVABLE)
def test_defaults_can_be_removed_by_null(path):
    default, removed = (
        render(merge_values(FIXED, MODELSCOPE, values)).pod["spec"]
        for values in ({}, nest_value(path, None))
    )
    *parents, key = REMOVABLE[path]
    for parent in parents:
        default, removed = default[parent], removed[parent]
    assert key in default
    assert not removed.get(key)


def test_defaults_are_removed_by_both_majors_of_helm():
    leaves = [
        path for path in REMOVABLE if not any(each.startswith(f"{path}.") for each in REMOVABLE)
    ]
    values = merge_values(FIXED, JOB, *(nest_value(path, None) for path in leaves))
    assert list(render(values)) == list(render(values, helm="helm3"))


# Resources, slots, and the expected slots and source of the CPUs that they follow.
@pytest.mark.parametrize(
    ("cpu", "slots", "expected", "source"),
    [
        ({"limits": None}, None, 1, "requests.cpu"),
        ({"limits": None, "requests": "3500m"}, None, 3, "requests.cpu"),
        ({"limits": None, "requests": "250m"}, None, 1, "requests.cpu"),
        ({"limits": None, "requests": "2"}, 5, 5, "requests.cpu"),
        ({"limits": None, "requests": None}, None, 1, "1000"),
        ({"limits": None, "requests": None}, 4, 4, "1000"),
        ({"limits": "3", "requests": None}, None, 3, "limits.cpu"),
    ],
)
def test_slots_without_a_cpu_limit(cpu, slots, expected, source):
    values = {
        "resources": {kind: {"cpu": each} for kind, each in cpu.items()},
        "inference": {"slots": slots},
    }
    objects = render(merge_values(BAKED, FIXED, values))
    container = objects.container
    (variable,) = [each for each in container["env"] if "CPU" in each["name"]]
    assert source in str(variable)
    resources = container["resources"]
    assert ("cpu" in resources["limits"]) == (cpu["limits"] is not None)
    threads = int(parse_quantity(cpu.get("requests") or cpu["limits"] or "1")) or 1
    queue = objects.settings["DCTNET_QUEUE_SIZE"]  # It grows with the CPUs.
    assert resources["limits"]["memory"] == bound(expected, threads, DCTNET_QUEUE_SIZE=queue)


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize("variant", ["runtime", "tensorflow"])
@pytest.mark.parametrize(
    "values",
    [
        {
            "inference": {"slots": 1, "threads": 1},
            "admission": {"queueSize": 1, "maxUploads": 1, "maxWaitingBytes": 25231360},
        },
        {
            "inference": {"slots": 7, "threads": 5},
            "admission": {
                "queueSize": 4096,
                "maxUploads": 4096,
                "maxWaitingBytes": 68719476736,
            },
        },
        {"admission": {"cpuSecondsPerImage": 0.01}},
        {
            "requestLimits": {
                "bodyBytes": 1024,
                "pixels": 1,
                "workingSide": 256,
                "unsentBytes": 1048576,
            }
        },
        {
            "admission": {"maxWaitingBytes": 1073807360},
            "requestLimits": {
                "bodyBytes": 1073741824,
                "pixels": 500000000,
                "workingSide": 4096,
                "unsentBytes": 68719476736,
            },
        },
        # The largest response exceeds the limit of unsent bytes, and the other way round.
        {"requestLimits": {"pixels": 90_000_000}},
        {"requestLimits": {"unsentBytes": 268435457}},
    ],
)
def test_memory_limit_equals_the_memory_bound_of_the_service(values, variant):
    objects = render(merge_values(DEMO, FIXED, values, {"image": {"variant": variant}}))
    settings = objects.one("ConfigMap", "dctnet")["data"]
    inference = values.get("inference", {})
    slots, threads = inference.get("slots", 2), inference.get("threads", 2)
    expected = bound(slots, threads, 3, variant == "tensorflow", **settings)
    assert objects.container["resources"]["limits"]["memory"] == expected


PUBLIC = ["anime", "3d", "handdrawn", "sketch", "artstyle", "sd-design", "sd-illustration"]


@pytest.mark.promise("Load: memory stays within the bound that the settings give")
@pytest.mark.parametrize(
    ("styles", "values", "hot"),
    [
        (1, {}, 1),
        (1, {"model": {"styleCache": 5}}, 1),
        (2, {}, 2),
        (7, {}, 3),
        (7, {"inference": {"slots": 5}}, 5),
        (7, {"inference": {"slots": 9}}, 7),
        (7, {"model": {"styleCache": 1}}, 2),  # At least one per slot.
        (7, {"model": {"styleCache": 6}}, 6),
        (7, {"model": {"styleCache": 32}}, 7),
        (7, {"inference": {"runtime": "onnxruntime"}}, 7),  # It transforms the weights of all.
        (7, {"inference": {"runtime": "onnxruntime"}, "model": {"styleCache": 3}}, 7),
    ],
)
def test_memory_and_style_cache_of_several_styles(styles, values, hot):
    listed = {"model": {"source": "baked", "styles": PUBLIC[:styles]}}
    objects = render(merge_values(listed, values))
    settings = Settings.from_environment(objects.one("ConfigMap", "dctnet")["data"])
    assert settings.style_cache == (hot if styles > 1 else None)
    resources = objects.container["resources"]
    more = ((styles - 1) * STYLE_BYTES + (hot - 1) * HOT_STYLE_BYTES) // MIB
    assert resources["requests"]["memory"] == f"{640 + more}Mi"
    settings = replace(settings, slots=values.get("inference", {}).get("slots", 2))
    total = memory_bound(settings, 2, styles=styles, hot_styles=hot)
    assert resources["limits"]["memory"] == f"{ceil(total / MIB)}Mi"


def test_style_cache_is_what_a_given_memory_limit_allows():
    limits = {"900Mi": 900 * MIB, "4650M": 4650e6, "4.85G": 4.85e9, "5Gi": 5120 * MIB, 2**33: 2**33}
    seen = set()
    for limit, size in limits.items():
        values = {"model": {"styles": PUBLIC}, "resources": {"limits": {"memory": limit}}}
        written = render(merge_values(BAKED, values)).one("ConfigMap", "dctnet")["data"]
        settings = Settings.from_environment(written)
        derived = replace(settings, slots=2, style_cache=None)
        assert settings.style_cache == hot_styles(derived, 2, len(PUBLIC), size), limit
        seen.add(settings.style_cache)
    assert {2, 7} < seen


@pytest.mark.parametrize("values", [{}, {"model": {"styles": PUBLIC}}, {"inference": {"slots": 4}}])
def test_least_memory_limit_is_what_a_replica_reserves_at_start(values):
    values = merge_values(BAKED, values)
    slots = values.get("inference", {}).get("slots", 2)
    styles = len(values["model"].get("styles", PUBLIC[:1]))
    settings = replace(Settings.from_environment({}), slots=slots)
    hot = hot_styles(settings, 2, styles, 0)
    more = (styles - 1) * STYLE_BYTES + (hot - 1) * HOT_STYLE_BYTES
    start = ceil((PROCESS_BYTES + more + slots * reserved_bytes(settings, 2)) / MIB)
    for limit in (start, start - 1):
        limited = merge_values(values, {"resources": {"limits": {"memory": f"{limit}Mi"}}})
        with nullcontext() if limit == start else pytest.raises(Rejected, match=f"takes {start}Mi"):
            assert render(limited).deployment
