"""Copy descriptions from ``values.yaml`` into ``values.schema.json``.

A description is the comment above a value that begins with ``--``, as in helm-docs. With
``--check`` the script writes nothing, and exits with 1 if the schema is out of date.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "dctnet"
MAX_LINE_LENGTH = 100

ValuePath = tuple[str, ...]


def parse_descriptions(text: str) -> dict[ValuePath, str]:
    """Return the description of each value that has one, by the value's path."""
    lines = text.splitlines()
    return {
        path: description
        for path, line in _walk_keys(yaml.compose(text))
        for description in [_description_above(lines, line)]
        if description
    }


def _walk_keys(node: yaml.Node, path: ValuePath = ()) -> Iterator[tuple[ValuePath, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            yield inner, key.start_mark.line
            yield from _walk_keys(value, inner)


def _description_above(lines: list[str], line: int) -> str:
    parts: list[str] = []
    while line and (match := re.match(r" *# ?(.*)", lines[line - 1])):
        line -= 1
        is_first = match[1].startswith("-- ")
        parts.insert(0, match[1].removeprefix("-- "))
        if is_first:
            return " ".join(parts)
    return ""


def add_descriptions(schema: dict[str, Any], descriptions: dict[ValuePath, str]) -> dict[str, Any]:
    """Return the schema with descriptions; raise KeyError for a value that it lacks."""
    result: dict[str, Any] = json.loads(json.dumps(schema))
    for path, description in descriptions.items():
        node = result
        for key in path:
            node = node["properties"][key]
        node["description"] = description
    return result


def format_json(value: Any, indent: int = 0, prefix_length: int = 0) -> str:
    """Format JSON, with each object and array on one line if it fits.

    ``prefix_length`` is the length of the key before the value.
    """
    line = json.dumps(value, ensure_ascii=False)
    fits = indent + prefix_length + len(line) < MAX_LINE_LENGTH
    if not isinstance(value, dict | list) or not value or fits:
        return line
    inner = " " * (indent + 2)
    if isinstance(value, list):
        items = [inner + format_json(item, indent + 2) for item in value]
    else:
        names = {key: json.dumps(key) + ": " for key in value}
        items = [
            inner + names[key] + format_json(item, indent + 2, len(names[key]))
            for key, item in value.items()
        ]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return f"{opening}\n" + ",\n".join(items) + f"\n{' ' * indent}{closing}"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    file = CHART / "values.schema.json"
    old = file.read_text()
    descriptions = parse_descriptions((CHART / "values.yaml").read_text())
    new = format_json(add_descriptions(json.loads(old), descriptions)) + "\n"
    if check and new != old:
        print("helm/dctnet/values.schema.json is not up to date: make chart-docs", file=sys.stderr)
        return 1
    if not check:
        file.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
