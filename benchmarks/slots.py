"""Generators of libraries whose handles serve one call at a time."""

from collections.abc import Callable

from dctnet.arrays import GeneratorOutput
from dctnet.runtimes import Generator, signatures
from dctnet.runtimes.signatures import Array

Slot = Callable[[Array], GeneratorOutput]
"""Function from a float32 image to its output, for one call at a time."""


def generator(create_slot: Callable[[], Slot]) -> Generator:
    """Return a generator with one slot per concurrent call, the others created on demand."""
    slots = [create_slot()]

    def run(image: Array) -> list[GeneratorOutput]:
        try:
            slot = slots.pop()
        except IndexError:
            slot = create_slot()
        try:
            return [slot(image)]
        finally:
            slots.append(slot)

    return signatures.generator(run)
