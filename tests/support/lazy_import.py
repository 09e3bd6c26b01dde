"""Modules that load TensorFlow, imported when a test first uses them.

Each process of `pytest --numprocesses` collects all tests, and few of them run those.
"""

from importlib import import_module
from typing import Any


class Lazily:
    """A module by its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest looks for marks of its own.
            raise AttributeError(name)
        import_module("dctnet.runtimes.tensorflow")  # It sets TensorFlow's arithmetic first.
        return getattr(import_module(self._name), name)
