"""Memoized networks."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np


def memoized(network: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a memoized network; its results must not be modified."""
    results: dict[object, Any] = {}

    def compute(image: Any) -> Any:
        key = image.shape, hashlib.sha256(np.ascontiguousarray(image)).digest()
        if key not in results:
            results[key] = network(image)
        return results[key]

    return compute
