"""Write each value's comment in ``values.yaml`` into its place in ``values.schema.json``.

``--check`` writes nothing, and fails where there is something to write.
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
WIDTH = 100

Path_ = tuple[str, ...]


def comments(text: str) -> dict[Path_, str]:
    """Return the comment of each value that has one, by the value's path."""
    lines = text.splitlines()
    return {
        path: comment
        for path, line in _keys(yaml.compose(text))
        for comment in [_comment_above(lines, line)]
        if comment
    }


def _keys(node: yaml.Node, path: Path_ = ()) -> Iterator[tuple[Path_, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            yield inner, key.start_mark.line
            yield from _keys(value, inner)


def _comment_above(lines: list[str], line: int) -> str:
    words: list[str] = []
    while line and (match := re.match(r" *# ?(.*)", lines[line - 1])):
        line -= 1
        begins = match[1].startswith("-- ")
        words.insert(0, match[1].removeprefix("-- "))
        if begins:
            return " ".join(words)
    return ""


def described(schema: dict[str, Any], texts: dict[Path_, str]) -> dict[str, Any]:
    """Return the schema with the texts in it; raise KeyError for a value that it lacks."""
    result: dict[str, Any] = json.loads(json.dumps(schema))
    for path, text in texts.items():
        place = result
        for key in path:
            place = place["properties"][key]
        place["description"] = text
    return result


def formatted(value: Any, indent: int = 0, before: int = 0) -> str:
    """Write JSON with what fits in one line on one line; ``before`` stands in front of it."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or indent + before + len(line) < WIDTH:
        return line
    inner = " " * (indent + 2)
    if isinstance(value, list):
        items = [inner + formatted(item, indent + 2) for item in value]
    else:
        names = {key: json.dumps(key) + ": " for key in value}
        items = [
            inner + names[key] + formatted(item, indent + 2, len(names[key]))
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
    texts = comments((CHART / "values.yaml").read_text())
    new = formatted(described(json.loads(old), texts)) + "\n"
    if check and new != old:
        print("helm/dctnet/values.schema.json is not up to date: make chart-docs", file=sys.stderr)
        return 1
    if not check:
        file.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
