"""``dctnet load``: the load client of the package ``loadtest``."""

import argparse

from dctnet.config import Settings


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand and its arguments."""
    from loadtest import options  # A package of its own, which other commands do not need.

    parser = subparsers.add_parser(
        "load", help="send images to a server as load, and report", description=options.DESCRIPTION
    )
    options.add_arguments(parser)


def run(args: argparse.Namespace, _: Settings) -> int:
    """Run the load; return 1 if a gate is violated."""
    from loadtest import command

    return command.run(args)
