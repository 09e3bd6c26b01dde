"""Validation of Kubernetes objects beyond their schemas."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

Object = dict[str, Any]

SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")

UNITS = {
    "": 1,
    "m": Decimal("0.001"),
    **{unit: 1000**power for power, unit in enumerate(["k", "M", "G", "T", "P", "E"], 1)},
    **{unit: 1024**power for power, unit in enumerate(["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"], 1)},
}


def parse_quantity(quantity: str | float) -> Decimal:
    """Parse a quantity such as ``500m`` or ``2Gi``; raise ValueError if invalid."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)", str(quantity))
    if not match or match[2] not in UNITS:
        raise ValueError(quantity)
    return Decimal(match[1]) * UNITS[match[2]]


def pods(objects: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Pod specifications, each with the name of its object."""
    for each in objects:
        name = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] == "Pod":
            yield name, each["spec"]
        elif "template" in each.get("spec", {}):
            yield name, each["spec"]["template"]["spec"]


def containers(pod: Object) -> list[Object]:
    """All containers of a pod, the init containers first."""
    return [*(pod.get("initContainers") or []), *pod["containers"]]


def images(objects: Iterable[Object]) -> set[str]:
    """The images of all containers of all pods."""
    return {each["image"] for _, pod in pods(objects) for each in containers(pod)}


def duplicates(names: Iterable[str]) -> list[str]:
    """Names that occur more than once."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def validation_errors(objects: Iterable[Object]) -> list[str]:
    """Return validation errors, one line each."""
    objects = list(objects)
    errors = [
        f"{name} is defined twice"
        for name in duplicates(
            f"{each['kind']}/{each['metadata'].get('namespace')}/{each['metadata']['name']}"
            for each in objects
        )
    ]
    for each in objects:
        errors += _name_errors(each)
    for name, pod in pods(objects):
        errors += [f"{name}: {error}" for error in _pod_errors(pod)]
    return errors


def _name_errors(each: Object) -> Iterator[str]:
    kind, metadata = each["kind"], each["metadata"]
    allowed = SERVICE if kind == "Service" else NAME
    if not allowed.fullmatch(metadata["name"]):
        yield f"{kind} has the invalid name {metadata['name']}"
    for key, value in (metadata.get("labels") or {}).items():
        if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
            yield f"{kind}: label {key} cannot be {value!r}"
    for key, value in (metadata.get("annotations") or {}).items():
        if not isinstance(value, str):
            yield f"{kind}: annotation {key} is not a string: {value!r}"


def _pod_errors(pod: Object) -> Iterator[str]:
    for name in duplicates(each["name"] for each in pod.get("volumes") or []):
        yield f"two volumes have the name {name}"
    for name in duplicates(each["name"] for each in containers(pod)):
        yield f"two containers have the name {name}"
    for each in containers(pod):
        for path in duplicates(mount["mountPath"] for mount in each.get("volumeMounts") or []):
            yield f"two volumes are mounted at {path}"
        for variable in each.get("env") or []:
            if not isinstance(variable.get("value", ""), str):
                yield f"{variable['name']} is not a string"
        resources = each.get("resources") or {}
        limits = resources.get("limits") or {}
        for resource, request in (resources.get("requests") or {}).items():
            limit = limits.get(resource, request)
            if parse_quantity(request) > parse_quantity(limit):
                yield f"{each['name']} requests {request} {resource}, over the limit {limit}"
