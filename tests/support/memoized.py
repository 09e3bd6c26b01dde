"""A network that computes each image once."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np


def remembered(network: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that keeps the answers of a slow one; nobody may change them."""
    answers: dict[object, Any] = {}

    def compute(image: Any) -> Any:
        key = image.shape, hashlib.sha256(np.ascontiguousarray(image)).digest()
        if key not in answers:
            answers[key] = network(image)
        return answers[key]

    return compute
