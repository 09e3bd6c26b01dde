"""Command line ``dctnet``: one module for each subcommand."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from dctnet import __version__, logs
from dctnet.config import Settings, SettingsError, unknown_variables
from dctnet.models.errors import ModelError

logger = logging.getLogger(__name__)


class Command(Protocol):
    """Module of a subcommand."""

    def add_parser(
        self, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", /
    ) -> None:
        """Add the subcommand and its arguments."""
        ...

    def run(self, args: argparse.Namespace, settings: Settings, /) -> int:
        """Run the subcommand, return its exit status; raise SettingsError, ModelError, OSError."""
        ...


_COMMANDS = (
    "cartoonize",
    "contact-sheet",
    "serve",
    "fetch",
    "prepare",
    "verify",
    "styles",
    "doctor",
    "capacity",
    "load",
)


def _module(command: str) -> Command:
    """Import a command's module, which imports heavy packages in `run`: --help is fast."""
    return cast("Command", import_module(f"dctnet.cli.{command.replace('-', '_')}"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, return its exit status: 0, 1 for an error, 2 for wrong usage."""
    if os.getpid() == 1:
        _exit_on_sigterm_as_pid_1()
    argv = sys.argv[1:] if argv is None else argv
    # A replica starts sooner without the modules of the other commands.
    args = _parser(argv[:1] if argv and argv[0] in _COMMANDS else _COMMANDS).parse_args(argv)
    if args.command == "serve":
        logs.start()  # Before any other file is opened.
    else:
        logs.start_sentences()
    try:
        settings = Settings.from_environment(os.environ)
        _require_heic(settings)
        if unknown := unknown_variables(os.environ):
            logger.warning(
                "These variables are not settings and have no effect: %s.", ", ".join(unknown)
            )
        return _module(args.command).run(args, settings)
    except (SettingsError, ModelError) as error:
        logger.error("%s", error)
    except BrokenPipeError:  # The reader closed the pipe, as in `dctnet ... | head`.
        # Otherwise Python fails again when it flushes standard output on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        reason = f"{error.strerror or error}."
        logger.error("%s", f"{error.filename}: {reason}" if error.filename else reason)
    except KeyboardInterrupt:
        return 130  # What a shell reports for a command that SIGINT ended.
    return 1


def _require_heic(settings: Settings) -> None:
    """Raise SettingsError if HEIC is on but cannot be decoded."""
    if settings.heic and find_spec("pi_heif") is None:
        raise SettingsError(
            "DCTNET_HEIC is on, but pi-heif is not installed: install dctnet with its `heic` extra"
            " (pip install 'dctnet[heic]'), or set the variable to off."
        )


def _exit_on_sigterm_as_pid_1() -> None:
    """Exit on SIGTERM as process 1 of a container, for which the kernel has no default action.

    The server installs its own handler, which drains.
    """
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


def _parser(commands: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of these commands."""
    parser = argparse.ArgumentParser(
        prog="dctnet",
        description="Cartoonize portrait photos with DCT-Net.",
        epilog="DCTNET_* environment variables configure it; see docs/settings.md.",
    )
    parser.add_argument("--version", action="version", version=f"dctnet {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in commands:
        _module(command).add_parser(subparsers)
    return parser
