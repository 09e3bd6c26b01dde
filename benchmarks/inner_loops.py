"""Inner loops of the native runtime: the share of fused multiply-adds in their instructions.

    make native native-aarch64
    .venv/bin/python -m benchmarks.inner_loops

Disassembles the objects of each build with `llvm-objdump`, on a CPU of any architecture. It prints
a Markdown table: for each layer, the innermost loop with the highest share.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

NATIVE: Final = Path(__file__).parents[1] / "service/native/build"
BUILDS: Final = {
    "AVX2": NATIVE / "x86-64-v3",
    "AVX-512": NATIVE / "x86-64-v4",
    "NEON": NATIVE / "zig-aarch64/aarch64",
}
LAYERS: Final = {
    "3×3": "conv3x3_winograd.o",
    "3×3, stride 2": "conv3x3_strided.o",
    "7×7, first": "conv7x7_first.o",
    "7×7, last": "conv7x7_last.o",
}
MIN_FMAS: Final = 12
"""Loops with fewer are not those of products, which have this many sums at least."""

FMA: Final = re.compile(r"vfn?m(add|sub)|fml[as]")
BRANCH: Final = re.compile(r"(?:j\w+|b(?:\.\w+)?|cbn?z|tbn?z)\s[^<]*0x([0-9a-f]+)")


class Loop(NamedTuple):
    """Numbers of instructions in one round of a loop."""

    fmas: int
    instructions: int

    @property
    def share(self) -> float:
        """Share of the multiply-adds."""
        return self.fmas / self.instructions


def functions(path: Path) -> Iterator[list[tuple[int, str]]]:
    """Yield the instructions of each function of an object, with their addresses."""
    command = ["llvm-objdump", "--disassemble", "--no-show-raw-insn", str(path)]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = (re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line) for line in text.splitlines())
    for is_code, matches in groupby(lines, bool):
        if is_code:
            yield [(int(match[1], 16), match[2]) for match in matches if match]


def innermost_loops(function: Sequence[tuple[int, str]]) -> Iterator[Loop]:
    """Yield the loops of a function that contain no other."""
    positions = {address: position for position, (address, _) in enumerate(function)}
    loops = [
        (first, last)
        for last, (_, instruction) in enumerate(function)
        if (branch := BRANCH.match(instruction))
        if (first := positions.get(int(branch[1], 16), last + 1)) <= last
    ]
    for first, last in loops:
        if any(first <= a and b <= last for a, b in loops if (a, b) != (first, last)):
            continue
        fmas = sum(bool(FMA.match(instruction)) for _, instruction in function[first : last + 1])
        yield Loop(fmas, last + 1 - first)


def product_loop(path: Path) -> Loop:
    """Return the loop of a layer's products."""
    loops = (loop for function in functions(path) for loop in innermost_loops(function))
    return max((loop for loop in loops if loop.fmas >= MIN_FMAS), key=lambda loop: loop.share)


def main() -> None:
    """Print the table."""
    print("| layer |", " | ".join(BUILDS), "|")
    print("|---|" + "---|" * len(BUILDS))
    for name, file in LAYERS.items():
        loops = [product_loop(build / file) for build in BUILDS.values()]
        cells = [f"{loop.fmas} of {loop.instructions}, {loop.share:.0%}" for loop in loops]
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
