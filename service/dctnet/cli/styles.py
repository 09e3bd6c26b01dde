"""``dctnet styles``: list the styles, where each comes from, and its memory."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from dctnet.config import Settings
from dctnet.memory import HOT_STYLE_BYTES, STYLE_BYTES
from dctnet.models.folder import CONVERTED_SUFFIX
from dctnet.models.styles import SHIPPED_STYLES, STYLES
from dctnet.units import MIB

Entry = dict[str, object]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "styles",
        help="list the styles",
        description="List the public styles and the shipped ones: whether each is installed, "
        "converted and pinned, and the memory that it takes in a replica.",
    )
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array, with licence and source"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the styles, as a table or as JSON."""
    public = {name: asdict(style) | {"source": style.source} for name, style in STYLES.items()}
    styles = [
        public.get(name, {"name": name, "title": name.capitalize()}) | _state(name, settings)
        for name in dict.fromkeys((*STYLES, *SHIPPED_STYLES))
    ]
    if args.json:
        print(json.dumps(styles, indent=2))
        return 0
    rows = [("STYLE", "INSTALLED", "CONVERTED", "PINNED", "TITLE", "MODEL")] + [
        (
            str(style["name"]),
            str(style["installed"] or "no"),
            "yes" if style["converted"] else "no",
            "yes" if style["pinned"] else "no",
            str(style["title"]),
            str(style.get("model_id", "")),
        )
        for style in styles
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    print(
        f"\nA replica takes at most {STYLE_BYTES // MIB} MiB per style, and"
        f" {HOT_STYLE_BYTES // MIB} MiB more while the style is in use.\n`dctnet fetch STYLE`"
        " downloads a public style, and `dctnet prepare STYLE` converts it."
    )
    return 0


def _state(style: str, settings: Settings) -> Entry:
    """Return where a style comes from, and whether it is converted and pinned."""
    converted = _exists(settings.models_dir / f"{style}{CONVERTED_SUFFIX}", style)
    fetched = _exists(settings.models_dir / style, style)
    shipped = style in SHIPPED_STYLES and not (converted or fetched)
    return {
        "installed": "shipped" if shipped else "fetched" if fetched or converted else None,
        "converted": converted or shipped,
        "pinned": style in settings.style_digests,
        "memory_bytes": STYLE_BYTES,
        "hot_memory_bytes": STYLE_BYTES + HOT_STYLE_BYTES,
    }


def _exists(folder: Path, style: str) -> bool:
    return style in STYLES and folder.is_dir()
