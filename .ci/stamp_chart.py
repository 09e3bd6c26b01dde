"""Write a release into a copy of the chart: version, registry and image digests.

Usage: ``stamp_chart.py FOLDER VERSION REGISTRY RUNTIME_DIGEST TENSORFLOW_DIGEST``. All other lines
keep their text, comments included.
"""

import json
import re
import sys
from pathlib import Path

BLOCK = r"(?m)^(image:\n(?:(?: .*)?\n)*?"
"""Start of a pattern in values.yaml that stays within the block `image`."""


def main(folder: Path, version: str, registry: str, runtime: str, tensorflow: str) -> str | None:
    """Return one sentence on the first error, without a changed file, or None."""
    schema = json.loads((folder / "values.schema.json").read_text())
    digest = schema["properties"]["image"]["properties"]["digest"]["pattern"]
    expected = {
        "version": (version, r"\d+\.\d+\.\d+"),
        "registry": (registry, schema["$defs"]["definitions.yaml"]["$defs"]["registry"]["pattern"]),
        "digest of runtime": (runtime, digest),
        "digest of tensorflow": (tensorflow, digest),
    }
    for name, (text, pattern) in expected.items():
        if not text or not re.fullmatch(pattern, text):
            return f"The {name} is {text!r}, but it must match {pattern} and not be empty."
    files = {name: (folder / name).read_text() for name in ("Chart.yaml", "values.yaml")}
    for name, pattern, text in (
        ("Chart.yaml", r"(?m)^(version: )\S+$", version),
        ("Chart.yaml", r"(?m)^(appVersion: )\S+$", f'"{version}"'),
        ("values.yaml", BLOCK + r'  registry: )""$', registry),
        ("values.yaml", BLOCK + r'  digests:\n(?:    .*\n)*?    runtime: )""$', runtime),
        ("values.yaml", BLOCK + r'  digests:\n(?:    .*\n)*?    tensorflow: )""$', tensorflow),
    ):
        files[name], count = re.subn(pattern, rf"\g<1>{text}", files[name])
        if count != 1:
            return f"{folder / name} has {count} places for {text}, not one: is it stamped already?"
    for name, text in files.items():
        (folder / name).write_text(text)
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
