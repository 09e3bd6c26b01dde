"""``dctnet styles``: list the public models and whether they are fetched."""

import argparse
import json
from dataclasses import asdict

from dctnet.config import Settings
from dctnet.models.styles import DEMO_STYLE, STYLES


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "styles", help="list the public models", description="List the public models."
    )
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array, with licence and source"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the styles, as a table or as JSON."""
    fetched = {name: (settings.models_dir / name).is_dir() for name in STYLES}
    if args.json:
        styles = [
            {**asdict(style), "source": style.source, "fetched": fetched[style.name]}
            for style in STYLES.values()
        ]
        print(json.dumps(styles, indent=2))
        return 0
    rows = [("STYLE", "FETCHED", "TITLE", "MODEL")] + [
        (style.name, "yes" if fetched[style.name] else "no", style.title, style.model_id)
        for style in STYLES.values()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    print(
        f"\nThe style {DEMO_STYLE} ships with dctnet. `dctnet fetch STYLE` downloads one of these."
    )
    return 0
