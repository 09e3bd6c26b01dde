"""Check of the native libraries in a wheel: architecture, dependencies and glibc version."""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from dctnet.runtimes.native_library import VARIANTS

FOLDER = "dctnet/runtimes/lib/"
C_LIBRARY = re.compile(r"lib(c|dl|m|pthread)\.so\.\d|ld-linux-[\w-]+\.so\.\d")


def main(path: Path) -> str | None:
    """Return one sentence on the first error, or None."""
    platform = re.fullmatch(r"dctnet-.*-py3-none-manylinux_(\d+)_(\d+)_(\w+)", path.stem)
    if not platform:
        return f"{path.name} is not for every Python of one platform."
    *glibc, machine = platform.groups()
    expected = {f"{FOLDER}libdctnet-{variant}.so" for variant in VARIANTS[machine]}
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as scratch:
        found = {name for name in wheel.namelist() if name.startswith(FOLDER)}
        if found != expected:
            return f"{path.name} carries {sorted(found)}, not {sorted(expected)}."
        for name in sorted(found):
            error = _library_error(
                Path(wheel.extract(name, scratch)), machine, tuple(map(int, glibc))
            )
            if error:
                return f"{name} of {path.name} {error}."
    print(f"{path.name}: {len(found)} native libraries")
    return None


def _library_error(library: Path, machine: str, glibc: tuple[int, ...]) -> str:
    """Return the error of a library; empty if it runs with this glibc version."""
    command = ["readelf", "--file-header", "--dynamic", "--version-info", "--wide", library]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if machine not in output.lower().replace("x86-64", "x86_64"):
        return f"is not for {machine}"
    foreign = [
        name for name in re.findall(r"NEEDED.*\[(.+)\]", output) if not C_LIBRARY.match(name)
    ]
    if foreign:
        return f"needs {', '.join(foreign)}"
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", output)
    newest = max(tuple(map(int, version)) for version in versions)
    return f"needs glibc {newest}" if newest > glibc else ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
