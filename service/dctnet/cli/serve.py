"""``dctnet serve``: the HTTP server."""

import argparse
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile

from dctnet.config import SETTINGS, Address, Settings, SettingsError
from dctnet.messages import say

EXIT_BROKEN_MODEL = 3
"""The exit status that Gunicorn has too when its worker cannot load the model."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add this command to ``dctnet``'s."""
    parser = subparsers.add_parser(
        "serve",
        help="start the server and its web page",
        description="Serve the API and a web page. SIGTERM ends the server after it has answered "
        "what it accepted. The exit status is 3 when the model cannot be loaded.",
    )
    parser.add_argument(
        "--bind", type=_address, metavar="HOST:PORT", help="default: DCTNET_BIND, 127.0.0.1:8080"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until a signal ends the process."""
    from dctnet import tracing
    from dctnet.model_loading import find_model
    from dctnet.models.errors import ModelError
    from dctnet.models.folder import DEFAULT_STYLE
    from dctnet.models.styles import DEMO_STYLE
    from dctnet.replica import Replica
    from dctnet.runtimes.selection import select
    from dctnet.server.gunicorn_app import GunicornApp

    if args.bind:
        settings = replace(settings, bind=args.bind)
    # All is asked before the worker starts, so that a mistake shows at once.
    try:
        model = find_model(settings)
        select(model, settings.runtime)
    except ModelError as error:
        say(str(error))
        return EXIT_BROKEN_MODEL
    try:
        _require_addresses(settings)
        _require_worker_tmp_dir(settings.worker_tmp_dir)
    except SettingsError as error:
        say(str(error))
        return 1
    replica = Replica(settings, model, tracing=tracing.from_environment(os.environ))
    say(f"the model is {model.label}, from {model.path}")
    if model.style == DEMO_STYLE:
        say(f"for a public DCT-Net model, run: dctnet fetch {DEFAULT_STYLE}")
    if replica.api_keys is not None:
        say(f"an image needs an API key; there are {len(replica.api_keys)}")
    if replica.tracing is not None:
        say(f"requests are traced; the spans go to {replica.tracing.host}")
    GunicornApp(replica).run()
    return 0


def _require_addresses(settings: Settings) -> None:
    """Raise SettingsError unless the server can listen on both its addresses at once."""
    from dctnet.server.bind_address import listening

    with ExitStack() as stack:
        for address, how in (
            (settings.bind, "--bind or DCTNET_BIND"),
            (settings.management_bind, "DCTNET_MANAGEMENT_BIND"),
        ):
            try:
                stack.enter_context(listening(address))
            except OSError as error:
                raise SettingsError(
                    f"Cannot listen on {address}: {error.strerror}. Choose another address with"
                    f" {how}."
                ) from error


def _require_worker_tmp_dir(folder: Path | None) -> None:
    """Raise SettingsError unless the worker's heartbeat file can be made, as Gunicorn makes it."""
    try:
        with NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        where = "in the system's folder for temporary files" if folder is None else f"in {folder}"
        raise SettingsError(
            f"Cannot write the worker's heartbeat file {where}: {error.strerror}. Choose another"
            " folder with DCTNET_WORKER_TMP_DIR."
        ) from error


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError:
        allowed = next(setting.allowed for setting in SETTINGS if setting.field == "bind")
        raise argparse.ArgumentTypeError(f"{text!r} is not {allowed}") from None
