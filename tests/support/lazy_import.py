"""Lazy import of modules that load TensorFlow.

Each process of `pytest --numprocesses` collects all tests, but few run these.
"""

from importlib import import_module
from typing import Any


class LazyModule:
    """A module that is imported on first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest looks for marks of its own.
            raise AttributeError(name)
        import_module(
            "dctnet.runtimes.tensorflow"
        )  # Import it first: it configures TensorFlow's arithmetic.
        return getattr(import_module(self._name), name)
