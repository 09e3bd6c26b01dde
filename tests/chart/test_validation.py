"""Validation across values: each error message, and the nearest values that render."""

import re
from functools import cache
from typing import Any

import pytest

from tests.support.chart import (
    BAKED,
    CHART,
    DEMO,
    DIGEST,
    GATEWAY,
    IMAGE,
    INGRESS,
    Rejected,
    merge_values,
    nest_value,
    render,
)

SCRAPED = {"metrics": {"podAnnotations": True}}
ONE_REPLICA = {"autoscaling": {"enabled": False}, "replicaCount": 1}
SHARED = {"create": True}
ONE_POD = {"create": True, "accessModes": ["ReadWriteOncePod"]}
TLS = {"expose": {"tls": {"enabled": True}}}


def timeouts(**seconds: Any) -> dict[str, Any]:
    return {"timeouts": seconds}


def replicas(least: int, **budget: Any) -> dict[str, Any]:
    return {"autoscaling": {"minReplicas": least}, "podDisruptionBudget": budget}


def ingress_annotation(name: str, value: str) -> dict[str, Any]:
    return merge_values(INGRESS, {"ingress": {"annotations": {name: value}}})


def model(**values: Any) -> dict[str, Any]:
    return {"model": {"source": "modelscope", **values}}


def service(**fields: Any) -> dict[str, Any]:
    return {"service": fields}


def monitor(kind: str, **fields: Any) -> dict[str, Any]:
    return {"metrics": {kind: {"enabled": True} | fields}}


def pre_stop(**action: Any) -> dict[str, Any]:
    return {"lifecycle": {"preStop": action}}


def rolling(**numbers: Any) -> dict[str, Any]:
    return {"strategy": {"rollingUpdate": numbers}}


def alerts(**changes: Any) -> dict[str, Any]:
    return {"metrics": {"prometheusRule": {"enabled": True, "alerts": changes}}}


def slo(**values: Any) -> dict[str, Any]:
    return {"slo": values}


def families(policy: str, *names: str) -> dict[str, Any]:
    return {"service": {"ipFamilyPolicy": policy, "ipFamilies": list(names)}}


def style_images(*styles: str) -> dict[str, Any]:
    references = {style: f"models/{style.lower()}@{DIGEST}" for style in styles}
    return model(source="image", styles=list(styles), image={"references": references})


# Rejected values, a part of the message, and the nearest valid values.
VALUES_CASES = {
    "watchdog equals request timeout": (
        timeouts(request=20, watchdog=20),
        "timeouts.watchdog is 20 s, but it must be less than timeouts.request, which is 20 s",
        timeouts(request=20, watchdog=19.9),
    ),
    "largest body does not fit into the waiting bytes": (
        {"admission": {"maxWaitingBytes": 25231359}},
        "admission.maxWaitingBytes is 25231359, but it must be at least 25231360",
        {"admission": {"maxWaitingBytes": 25231360}},
    ),
    "body is larger than the waiting bytes": (
        {"requestLimits": {"bodyBytes": 1073676289}},
        "admission.maxWaitingBytes is 1073741824, but it must be at least 1073741825",
        {"requestLimits": {"bodyBytes": 1073676288}},
    ),
    "proxy read timeout equals request timeout": (
        timeouts(proxyRead=60),
        "timeouts.proxyRead is 60 s, but it must be more than timeouts.request, 60 s",
        timeouts(proxyRead=61),
    ),
    "request timeout exceeds overridden proxy read timeout": (
        timeouts(request=90.5, proxyRead=90),
        "timeouts.proxyRead is 90 s, but it must be more than timeouts.request, 90.5 s",
        timeouts(request=90.5, proxyRead=91),
    ),
    "total proxy timeout less than read timeout": (
        timeouts(proxyTotal=64),
        "timeouts.proxyTotal is 64 s, but it must be at least timeouts.proxyRead, 65 s",
        timeouts(proxyTotal=65),
    ),
    "grace period equals graceful timeout": (
        timeouts(terminationGracePeriod=75),
        "timeouts.terminationGracePeriod is 75 s, but it must be more than",
        timeouts(terminationGracePeriod=76),
    ),
    "graceful timeout equals overridden grace period": (
        timeouts(drainDelay=30, terminationGracePeriod=95),
        "timeouts.drainDelay + timeouts.request + 5, 95 s",
        timeouts(drainDelay=29, terminationGracePeriod=95),
    ),
    "preStop hook of unknown duration": (
        pre_stop(exec={"command": ["sleep", "5"]}),
        "set timeouts.terminationGracePeriod to 80 s and the time of the hook",
        pre_stop(exec={"command": ["sleep", "5"]}) | timeouts(terminationGracePeriod=85),
    ),
    "grace period without the time of the preStop hook": (
        pre_stop(sleep={"seconds": 5}) | timeouts(terminationGracePeriod=80),
        "lifecycle.preStop.sleep.seconds + timeouts.drainDelay + timeouts.request + 5, 80 s",
        pre_stop(sleep={"seconds": 5}) | timeouts(terminationGracePeriod=81),
    ),
    "postStart hook longer than the grace period": (
        {"lifecycle": {"postStart": {"sleep": {"seconds": 81}}}},
        "lifecycle.postStart.sleep.seconds is 81, but Kubernetes allows at most the termination",
        {"lifecycle": {"postStart": {"sleep": {"seconds": 80}}}},
    ),
    "drain delay too short for an ingress": (
        merge_values(INGRESS, timeouts(drainDelay=5)),
        "timeouts.drainDelay is 5 s, but it must be more than 5 s behind an ingress or a gateway",
        merge_values(INGRESS, timeouts(drainDelay=5.5)),
    ),
    "drain delay too short for a gateway": (
        merge_values(GATEWAY, timeouts(drainDelay=0)),
        "timeouts.drainDelay is 0 s, but it must be more than 5 s",
        timeouts(drainDelay=0),
    ),
    "fairness by address behind an ingress without trusted proxies": (
        merge_values(INGRESS, {"fairness": {"by": "address"}}),
        "fairness.by is address, but behind an ingress or a gateway all clients have the address",
        merge_values(INGRESS, {"fairness": {"by": "address", "trustedProxies": ["10.244.0.0/16"]}}),
    ),
    "fairness by address behind a gateway without trusted proxies": (
        merge_values(GATEWAY, {"fairness": {"by": "address"}}),
        "set fairness.trustedProxies to its network",
        {"fairness": {"by": "address"}},
    ),
    "maximum replicas less than minimum": (
        {"autoscaling": {"minReplicas": 7}},
        "autoscaling.minReplicas is 7, but autoscaling.maxReplicas only 6",
        {"autoscaling": {"minReplicas": 6}},
    ),
    "CPU target that only the limit reaches": (
        {"autoscaling": {"targetCPUUtilizationPercentage": 91}},
        "autoscaling.targetCPUUtilizationPercentage is 91, but a replica uses at most 2000m of its",
        {"autoscaling": {"targetCPUUtilizationPercentage": 90}},
    ),
    "CPU target above what one slot on 1.9 CPUs uses": (
        {"resources": {"limits": {"cpu": "1900m"}}},
        "set at most 47, or more inference.slots",
        {"resources": {"limits": {"cpu": "1900m"}}, "inference": {"slots": 2}},
    ),
    "CPU target above what the threads of the slots use": (
        {"inference": {"slots": 1, "threads": 1}},
        "a replica uses at most 1000m of its 2000m CPU",
        {"inference": {"slots": 1, "threads": 2}},
    ),
    "CPU limit of less than a millicore": (
        {"resources": {"limits": {"cpu": 0.0001}, "requests": {"cpu": "1m"}}},
        "resources.requests.cpu is 1m, but it must not exceed the limit, 0.0001",
        {"resources": {"limits": {"cpu": 0.0001}}},
    ),
    "CPU target without a CPU request": (
        {"resources": {"limits": {"cpu": None}, "requests": {"cpu": None}}},
        "autoscaling.metric is cpu, but resources has neither a request nor a limit for cpu",
        {"resources": {"limits": {"cpu": None}, "requests": {"cpu": "100m"}}},
    ),
    "KEDA without a Prometheus URL": (
        merge_values(SCRAPED, {"autoscaling": {"metric": "keda"}}),
        "autoscaling.keda.serverAddress is empty: set it to the URL of Prometheus",
        merge_values(SCRAPED, {"autoscaling": {"metric": "keda", "enabled": False}}),
    ),
    "disruption budget for all replicas": (
        replicas(2, minAvailable=2),
        "podDisruptionBudget.minAvailable is 2 with a minimum of 2 replicas",
        replicas(3, minAvailable=2),
    ),
    "disruption budget for a single replica": (
        replicas(1, minAvailable=1),
        "podDisruptionBudget.minAvailable is 1 with a minimum of 1 replicas",
        replicas(1, minAvailable=0),
    ),
    "disruption budget in percent for all replicas": (
        replicas(2, minAvailable="51%"),
        "podDisruptionBudget.minAvailable is 51% with a minimum of 2 replicas",
        replicas(2, minAvailable="50%"),
    ),
    "disruption budget for all of a fixed number of replicas": (
        merge_values({"autoscaling": {"enabled": False}}, replicas(9, minAvailable=2)),
        "podDisruptionBudget.minAvailable is 2 with a minimum of 2 replicas",
        merge_values(
            {"autoscaling": {"enabled": False}, "replicaCount": 3}, replicas(2, minAvailable=2)
        ),
    ),
    "disruption budget without unavailable replicas": (
        replicas(2, maxUnavailable=0),
        "podDisruptionBudget.maxUnavailable allows no replica to be unavailable",
        replicas(2, maxUnavailable=1),
    ),
    "disruption budget with 0 percent unavailable": (
        replicas(2, maxUnavailable="0%"),
        "podDisruptionBudget.maxUnavailable allows no replica to be unavailable",
        replicas(2, maxUnavailable="1%"),
    ),
    "disruption budget without limits": (
        replicas(2, maxUnavailable=None),
        "podDisruptionBudget.maxUnavailable allows no replica to be unavailable",
        replicas(2, maxUnavailable=None, enabled=False),
    ),
    "volume of the chart": (
        model() | {"extraVolumes": [{"name": "model", "emptyDir": {}}]},
        "the pod would have two volumes with the name model",
        BAKED | {"extraVolumes": [{"name": "model", "emptyDir": {}}]},
    ),
    "volume of the Job": (
        model(cache=SHARED) | {"extraVolumes": [{"name": "tmp", "emptyDir": {}}]},
        "the pod would have two volumes with the name tmp",
        model(cache=SHARED) | {"extraVolumes": [{"name": "tmp-2", "emptyDir": {}}]},
    ),
    "variable of the Job": (
        model(cache=SHARED, endpoint="https://a")
        | {"extraEnv": [{"name": "MODELSCOPE_ENDPOINT", "value": "b"}]},
        "the pod would have two variables in the container fetch with the name MODELSCOPE_ENDPOINT",
        model(cache=SHARED) | {"extraEnv": [{"name": "MODELSCOPE_ENDPOINT", "value": "b"}]},
    ),
    "container of the chart": (
        {"extraContainers": [{"name": "dctnet", "image": "a"}]},
        "the pod would have two containers with the name dctnet",
        {"extraContainers": [{"name": "other", "image": "a"}]},
    ),
    "init container of the chart": (
        model() | {"extraInitContainers": [{"name": "fetch", "image": "a"}]},
        "the pod would have two containers with the name fetch",
        DEMO | {"extraInitContainers": [{"name": "fetch", "image": "a"}]},
    ),
    "variable twice": (
        DEMO | {"extraEnv": [{"name": "TZ", "value": "UTC"}, {"name": "TZ", "value": "CET"}]},
        "the pod would have two variables in the container dctnet with the name TZ",
        DEMO | {"extraEnv": [{"name": "TZ", "value": "UTC"}]},
    ),
    "variable of an init container": (
        model(endpoint="https://a") | {"extraEnv": [{"name": "MODELSCOPE_ENDPOINT", "value": "b"}]},
        "the pod would have two variables in the container fetch with the name MODELSCOPE_ENDPOINT",
        model() | {"extraEnv": [{"name": "MODELSCOPE_ENDPOINT", "value": "b"}]},
    ),
    "volume mount of the chart": (
        model() | {"extraVolumeMounts": [{"name": "tmp", "mountPath": "/models"}]},
        "the pod would have two volume mounts in the container fetch with the mountPath /models",
        {"extraVolumeMounts": [{"name": "tmp", "mountPath": "/models/more"}]},
    ),
    "CPU request exceeds limit": (
        {"resources": {"requests": {"cpu": "2001m"}}},
        "resources.requests.cpu is 2001m, but it must not exceed the limit, 2.",
        {"resources": {"requests": {"cpu": "2000m"}}},
    ),
    "memory request exceeds limit": (
        {"resources": {"requests": {"memory": "2049Mi"}, "limits": {"memory": "2Gi"}}},
        "resources.requests.memory is 2049Mi, but it must not exceed the limit, 2Gi.",
        {"resources": {"requests": {"memory": "2048Mi"}, "limits": {"memory": "2Gi"}}},
    ),
    "conversion request exceeds limit": (
        model(prepare={"resources": {"limits": {"memory": "1Gi"}}}),
        "model.prepare.resources.requests.memory is 2Gi, but it must not exceed the limit",
        model(prepare={"resources": {"limits": {"memory": "2Gi"}}}),
    ),
    "memory limit below what a replica reserves at start": (
        merge_values(DEMO, {"resources": {"limits": {"memory": "673Mi"}}}),
        "resources.limits.memory is 673Mi, but a replica with these model.styles takes 674Mi",
        merge_values(DEMO, {"resources": {"limits": {"memory": "674Mi"}}}),
    ),
    "memory limit below what the style cache reserves at start": (
        {**model(source="demo", styleCache=3), "resources": {"limits": {"memory": "750M"}}},
        "resources.limits.memory is 750M, but a replica with these model.styles takes 764Mi",
        {**model(source="demo", styleCache=2), "resources": {"limits": {"memory": "750M"}}},
    ),
    "former value of one style": (
        model(style="3d"),
        "model.style no longer exists: set model.styles, a list such as [anime]",
        model(styles=["3d"]),
    ),
    "former value of one digest": (
        model(digest=DIGEST),
        "model.digest no longer exists: set model.digests, a map such as {anime: source:sha256:…}",
        model(digests={"anime": DIGEST}),
    ),
    "style that is not public": (
        model(styles=["anime", "comic"]),
        'model.styles has "comic", but the styles of model.source modelscope are anime, 3d, hand',
        model(styles=["anime", "sketch"]),
    ),
    "style that does not ship": (
        model(source="demo", styles=["sketch", "3d"]),
        'model.styles has "3d", but the styles of model.source demo are comic, sketch, poster',
        model(source="demo", styles=["sketch", "comic"]),
    ),
    "style whose name is a path": (
        model(source="baked", styles=["../etc"]),
        'model.styles has "../etc", but with model.source baked it must match ^[A-Za-z0-9_]',
        model(source="baked", styles=["My_own.1"]),
    ),
    "style whose name cannot be that of a volume": (
        style_images("My_own", "3d"),
        'model.styles has "My_own", but with model.source image it must match ^[a-z0-9]',
        style_images("my-own", "3d"),
    ),
    "style twice": (
        model(styles=["anime", "3d", "anime"]),
        "model.styles lists the style anime twice",
        model(styles=["anime", "3d"]),
    ),
    "style twice, once by the name that conversion gives its folder": (
        model(source="baked", styles=["anime", "anime-converted"]),
        "model.styles lists the style anime twice",
        model(source="baked", styles=["anime", "3d-converted"]),
    ),
    "digest of a shipped style": (
        model(source="demo", digests={"comic": DIGEST}),
        "model.digests pins model folders, but the shipped styles are part of the image",
        DEMO,
    ),
    "digest of a style that is not listed": (
        model(styles=["anime", "3d"], digests={"anime": DIGEST, "sketch": DIGEST}),
        "model.digests pins the style sketch, but the styles are anime, 3d: add it to model.styles",
        model(styles=["anime", "3d"], digests={"3d": DIGEST}),
    ),
    "digest of a style other than the default": (
        model(digests={"3d": DIGEST}),
        "model.digests pins the style 3d, but the styles are anime",
        model(digests={"anime": DIGEST}),
    ),
    "two digests of one model folder": (
        model(source="baked", digests={"mine": DIGEST, "anime": DIGEST}),
        "model.digests pins anime, mine, but without model.styles the source baked serves one",
        model(source="baked", digests={"mine": DIGEST}),
    ),
    "model volume too small for the styles": (
        model(styles=["anime", "3d", "sketch"], cache={"size": "1199Mi"}),
        "model.cache.size is 1199Mi, but model.styles needs 1200Mi, 400Mi for each style",
        model(styles=["anime", "3d", "sketch"], cache={"size": "1200Mi"}),
    ),
    "conversion with the variant runtime": (
        {"image": {"variant": "runtime"}} | model(cache={"existingClaim": "m"}),
        "image.variant is runtime, but each pod converts the model, which needs the variant",
        {"image": {"variant": "runtime"}}
        | model(cache={"existingClaim": "m"}, fetch={"by": "job"}),
    ),
    "Job without a claim": (
        model(fetch={"by": "job"}),
        "model.fetch.by is job, but without a claim replicas cannot read what the Job fetches",
        model(fetch={"by": "job"}, cache=SHARED),
    ),
    "Job with a claim for one pod": (
        ONE_REPLICA
        | model(cache=ONE_POD, fetch={"by": "job"})
        | {"strategy": {"type": "Recreate"}},
        "model.fetch.by is job, but model.cache.accessModes has ReadWriteOncePod, so that the Job",
        ONE_REPLICA | model(cache=ONE_POD) | {"strategy": {"type": "Recreate"}},
    ),
    "one digest for the images of Job and replicas": (
        model(cache=SHARED) | {"image": {"digest": DIGEST}},
        "image.digest pins one image, but with a Job that fetches the models replicas use",
        model(cache=SHARED) | {"image": {"digests": {"runtime": DIGEST}}},
    ),
    **{
        f"{name} of a source that fetches nothing": (
            {"model": nest_value(name, value)},
            f"model.{name} is set, but model.source is demo, which fetches nothing",
            model(**nest_value(name, value)),
        )
        for name, value in {
            "cache.create": True,
            "cache.existingClaim": "models",
            "endpoint": "https://hub.example.org",
            "revision": "v1.0",
            "tokenSecret.name": "hub",
        }.items()
    },
    "existing claim without a name": (
        model(source="existingClaim"),
        "model.source is existingClaim, but model.existingClaim.name is empty",
        model(source="existingClaim", existingClaim={"name": "models"}),
    ),
    "image volume without a digest": (
        merge_values(IMAGE, nest_value("model.image.reference", "models/anime:1")),
        'model.image.reference is "models/anime:1", but it must be pinned by a digest',
        IMAGE,
    ),
    "images with and without a style": (
        merge_values(IMAGE, style_images("anime")),
        "model.image.reference and model.image.references are both set",
        style_images("anime"),
    ),
    "image volume of a style without a digest": (
        merge_values(style_images("anime"), nest_value("model.image.references.anime", "m/a:1")),
        'model.image.references has "m/a:1" for anime, but it must be pinned by a digest',
        style_images("anime"),
    ),
    "style without an image": (
        merge_values(style_images("anime"), nest_value("model.styles", ["anime", "3d"])),
        "model.styles lists 3d, but model.image.references has no image for it",
        style_images("anime", "3d"),
    ),
    "image of a style that is not listed": (
        merge_values(style_images("anime", "3d"), nest_value("model.styles", ["anime"])),
        "model.image.references has an image for 3d, but model.styles does not list it",
        style_images("anime", "3d"),
    ),
    "converted cache without a claim": (
        model(cache={"prepared": True}),
        "model.cache.prepared declares that a claim holds the converted model",
        model(cache={"prepared": True, "existingClaim": "models"}),
    ),
    "claim for one pod with several replicas": (
        model(cache=ONE_POD),
        "model.cache.accessModes has ReadWriteOncePod, which allows one pod, but there are up to 6",
        ONE_REPLICA | model(cache=ONE_POD) | {"strategy": {"type": "Recreate"}},
    ),
    "claim for one pod with a surge": (
        ONE_REPLICA | model(cache=ONE_POD),
        "model.cache.accessModes has ReadWriteOncePod, which allows one pod, but a rollout starts",
        ONE_REPLICA | model(cache=ONE_POD) | rolling(maxSurge=0, maxUnavailable=1),
    ),
    "rolling update without a surge and an unavailable replica": (
        rolling(maxSurge="0%"),
        "strategy.rollingUpdate has neither a surge nor an unavailable replica",
        rolling(maxSurge=0, maxUnavailable="1%"),
    ),
    "progress deadline of the minimum ready time": (
        {"minReadySeconds": 60, "progressDeadlineSeconds": 60},
        "progressDeadlineSeconds is 60, but it must be more than minReadySeconds, 60",
        {"minReadySeconds": 60, "progressDeadlineSeconds": 61},
    ),
    "host alias twice": (
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": [name]} for name in "ab"]},
        "the pod would have two host aliases with the ip 10.0.0.1",
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}]},
    ),
    "DNS policy without nameservers": (
        {"dnsPolicy": "None", "dnsConfig": {"searches": ["a"]}},
        "dnsPolicy is None, but dnsConfig.nameservers is empty",
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"]}},
    ),
    "cache both created and existing": (
        model(cache={"create": True, "existingClaim": "models"}),
        "model.cache.create and model.cache.existingClaim are both set",
        model(cache={"create": True}),
    ),
    "two IP families for a single stack": (
        families("SingleStack", "IPv6", "IPv4"),
        "service.ipFamilyPolicy is SingleStack, but service.ipFamilies has two families",
        families("SingleStack", "IPv6"),
    ),
    "node port of a cluster IP": (
        service(nodePort=30080),
        "service.nodePort is set, but service.type is ClusterIP: remove it, or set the type NodeP",
        service(nodePort=30080, type="NodePort"),
    ),
    "external traffic policy of a cluster IP": (
        service(externalTrafficPolicy="Local"),
        "service.externalTrafficPolicy is set, but service.type is ClusterIP",
        service(externalTrafficPolicy="Local", type="LoadBalancer"),
    ),
    "load balancer class of a node port": (
        service(loadBalancerClass="a", type="NodePort"),
        "service.loadBalancerClass is set, but service.type is NodePort: remove it, or set the",
        service(loadBalancerClass="a", type="LoadBalancer"),
    ),
    "source ranges of a node port": (
        service(loadBalancerSourceRanges=["10.0.0.0/8"], type="NodePort"),
        "service.loadBalancerSourceRanges is set, but service.type is NodePort",
        service(loadBalancerSourceRanges=["10.0.0.0/8"], type="LoadBalancer"),
    ),
    "timeout without session affinity": (
        service(sessionAffinityTimeoutSeconds=60, sessionAffinity="None"),
        "service.sessionAffinityTimeoutSeconds is set, but service.sessionAffinity is not ClientIP",
        service(sessionAffinityTimeoutSeconds=60, sessionAffinity="ClientIP"),
    ),
    "headless Service that translates ports": (
        service(clusterIP="None"),
        "service.clusterIP is None, but service.type is ClusterIP and service.port 80: a headless",
        service(clusterIP="None", port=8080),
    ),
    "headless Service of another type": (
        service(clusterIP="None", port=8080, type="NodePort"),
        "service.clusterIP is None, but service.type is NodePort",
        service(clusterIP="10.96.0.9", port=8080, type="NodePort"),
    ),
    "TLS without hosts": (
        TLS,
        "expose.tls.enabled needs expose.hosts",
        merge_values(TLS, {"expose": {"hosts": ["a.example.org"]}}),
    ),
    "TLS Secret of a host that is not listed": (
        {"expose": {"hosts": ["a.example.org"], "tls": {"secretNames": {"b.example.org": "b"}}}},
        "expose.tls.secretNames has a Secret for b.example.org, but expose.hosts does not list it",
        {"expose": {"hosts": ["b.example.org"], "tls": {"secretNames": {"b.example.org": "b"}}}},
    ),
    "issuer and cluster issuer": (
        {"expose": {"tls": {"issuer": "a", "clusterIssuer": "b"}}},
        "expose.tls.issuer and expose.tls.clusterIssuer are both set",
        {"expose": {"tls": {"issuer": "a"}}},
    ),
    "HTTPRoute without a Gateway": (
        {"gateway": {"enabled": True}},
        "gateway.enabled needs gateway.parentRefs",
        GATEWAY,
    ),
    "Gateway without a GatewayClass": (
        {"gateway": {"enabled": True, "create": True}},
        "gateway.create needs gateway.className",
        {"gateway": {"enabled": True, "create": True, "className": "envoy"}},
    ),
    "annotation derived by the chart": (
        ingress_annotation("nginx.ingress.kubernetes.io/proxy-body-size", "1m"),
        "ingress.annotations sets nginx.ingress.kubernetes.io/proxy-body-size, which the chart",
        ingress_annotation("nginx.ingress.kubernetes.io/enable-cors", "true"),
    ),
    "annotation of the Gateway derived by the chart": (
        {
            "expose": {"hosts": ["a"], "tls": {"enabled": True, "issuer": "a"}},
            "gateway": {
                "create": True,
                "gatewayAnnotations": {"cert-manager.io/issuer": "b"},
            },
        },
        "gateway.gatewayAnnotations sets cert-manager.io/issuer, which the chart derives",
        {"gateway": {"create": True, "gatewayAnnotations": {"cert-manager.io/issuer": "b"}}},
    ),
    "metadata of the trigger derived by the chart": (
        {"autoscaling": {"keda": {"metadata": {"query": "sum(up)"}}}},
        "autoscaling.keda.metadata sets query, which the chart derives",
        {"autoscaling": {"keda": {"metadata": {"authModes": "bearer"}}}},
    ),
    "TLS settings of a plain scrape": (
        monitor("podMonitor", tlsConfig={"serverName": "a"}),
        "metrics.podMonitor.tlsConfig is set, but metrics.podMonitor.scheme is http",
        monitor("podMonitor", tlsConfig={"serverName": "a"}, scheme="https"),
    ),
    "target label that identifies a series": (
        monitor("serviceMonitor", targetLabels=["pod"], honorLabels=True),
        "metrics.serviceMonitor would replace the label pod, by which rules",
        monitor("serviceMonitor", targetLabels=["team"], honorLabels=True),
    ),
    "target label that a metric has": (
        monitor("podMonitor", podTargetLabels=["team", "version"]),
        "metrics.podMonitor would rename the label version of the service's metrics",
        monitor("podMonitor", podTargetLabels=["team", "version"], honorLabels=True),
    ),
    "group of rules twice": (
        {
            "metrics": {
                "prometheusRule": {
                    "enabled": True,
                    "additionalGroups": [{"name": "dctnet.models", "rules": []}],
                }
            }
        },
        "the PrometheusRule would have two groups with the name dctnet.models: rename one in",
        {
            "metrics": {
                "prometheusRule": {
                    "enabled": True,
                    "additionalGroups": [{"name": "models", "rules": []}],
                }
            }
        },
    ),
    "threshold of an alert that has none": (
        alerts(DctnetNoReplicaReady={"threshold": 1}),
        "metrics.prometheusRule.alerts.DctnetNoReplicaReady.threshold is set, but this alert has",
        alerts(DctnetNoReplicaReady={"severity": "warning"}),
    ),
    "alert that does not exist": (
        alerts(DctnetDown={"enabled": False}),
        "metrics.prometheusRule.alerts has DctnetDown, but the alerts are Dctnet",
        alerts(DctnetTargetMissing={"enabled": False}),
    ),
    "SLO source ingress-nginx without an Ingress": (
        slo(source="ingress-nginx"),
        "slo.source is ingress-nginx, but ingress.enabled is false",
        slo(source="ingress-nginx") | INGRESS,
    ),
    "SLO source envoy-gateway without a Gateway": (
        slo(source="envoy-gateway"),
        "slo.source is envoy-gateway, but gateway.enabled is false",
        slo(source="envoy-gateway") | GATEWAY,
    ),
    "latency bound between two buckets": (
        slo(latency={"bound": 12}),
        "it must be a bucket of the source's histogram: one of 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8,",
        slo(latency={"bound": 8}),
    ),
    "latency bound that is not a bucket of ingress-nginx": (
        slo(source="ingress-nginx", latency={"bound": 15}) | INGRESS,
        "slo.latency.bound is 15 s, but it must be a bucket of the source's histogram: one of",
        slo(source="ingress-nginx", latency={"bound": 15, "nginxBuckets": [1, 15]}) | INGRESS,
    ),
    "latency bound below the smallest bucket": (
        slo(source="ingress-nginx", latency={"nginxBuckets": [20, 30]}) | INGRESS,
        "slo.latency.bound is null, but it must be a bucket",
        slo(source="ingress-nginx", latency={"nginxBuckets": [15, 30]}) | INGRESS,
    ),
    "latency bound above the request timeout": (
        slo(latency={"bound": 60}),
        "slo.latency.bound is 60 s, but it must be less than timeouts.request, 60 s",
        slo(latency={"bound": 30}),
    ),
    "ServiceMonitor and PodMonitor": (
        {"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        "metrics.serviceMonitor and metrics.podMonitor are both enabled",
        {"metrics": {"podMonitor": {"enabled": True}}},
    ),
}


# Cases that also depend on the release name or the cluster.
CLUSTER_CASES = {
    "image volume on an unsupported Kubernetes version": (
        (IMAGE, {"kubernetes": "1.35.9"}),
        "model.source is image, but image volumes need Kubernetes 1.36, and this is v1.35.9",
        (IMAGE, {"kubernetes": "1.36.0"}),
    ),
    "traffic distribution on an old version of Kubernetes": (
        (service(trafficDistribution="PreferSameNode"), {"kubernetes": "1.33.9"}),
        "service.trafficDistribution PreferSameNode needs Kubernetes 1.34, and this is v1.33.9",
        (service(trafficDistribution="PreferClose"), {"kubernetes": "1.31.0"}),
    ),
    "sleep on an old version of Kubernetes": (
        (pre_stop(sleep={"seconds": 5}), {"kubernetes": "1.29.0"}),
        "lifecycle.preStop.sleep needs Kubernetes 1.30, and this is v1.29.0",
        (pre_stop(sleep={"seconds": 5}), {"kubernetes": "1.30.0"}),
    ),
    "release name with a leading digit": (
        ({}, {"release": "1st"}),
        "the objects would be named 1st-dctnet, but the name of a Service starts with a letter",
        ({"fullnameOverride": "first"}, {"release": "1st"}),
    ),
    "release name with a dot": (
        ({}, {"release": "a.b"}),
        "the objects would be named a.b-dctnet, but the name of a Service starts with a letter",
        ({"fullnameOverride": "ab"}, {"release": "a.b"}),
    ),
}

CASES = CLUSTER_CASES | {
    name: ((values, {}), part, (valid, {})) for name, (values, part, valid) in VALUES_CASES.items()
}


@cache
def message(case: str) -> str:
    (values, cluster), _, _ = CASES[case]
    with pytest.raises(Rejected) as rejected:
        render(values, **cluster)
    return str(rejected.value)


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
@pytest.mark.parametrize("case", CASES)
def test_validation_rejects_with_its_message(case):
    assert CASES[case][1] in message(case)
    assert message(case).endswith(".")


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
@pytest.mark.parametrize("case", CASES)
def test_nearest_valid_values_render(case):
    values, cluster = CASES[case][2]
    assert render(values, **cluster).deployment


@pytest.mark.promise("Cluster: inconsistent timeouts or proxy values are rejected with a message")
def test_all_validation_messages_are_tested():
    written = "".join(file.read_text() for file in CHART.glob("templates/*.*"))
    messages = re.findall(r'fail (?:\(printf )?"(dctnet: [^"]*)"', written)
    assert len(messages) == len(re.findall(r"\bfail\b", written))
    seen = [message(case) for case in CASES]
    for template in messages:
        pattern = re.sub("%[a-z]", ".*", re.escape(template).replace("\\%", "%"))
        assert any(re.fullmatch(pattern, each) for each in seen), template
