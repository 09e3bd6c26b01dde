"""JSON copy of openapi.yaml, which the server reads: `make openapi` writes it."""

import json

import yaml

from dctnet.api import openapi

SOURCE = openapi.FILE.with_suffix(".yaml")


def converted() -> str:
    """Return the YAML document as JSON."""
    document = yaml.safe_load(SOURCE.read_text())
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    openapi.FILE.write_text(converted())
