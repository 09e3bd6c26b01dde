"""``dctnet serve``: the HTTP server."""

import argparse
import logging
import os
import socket
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from dctnet.config import SETTINGS, Address, Settings, SettingsError

if TYPE_CHECKING:
    from dctnet.codecs.launching import Launcher
    from dctnet.replica import Replica

logger = logging.getLogger(__name__)

EXIT_BROKEN_MODEL = 3
"""Exit status for models that cannot be loaded; Gunicorn uses the same for its worker."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the ``serve`` command."""
    parser = subparsers.add_parser(
        "serve",
        help="start the server with the HTTP API and the web UI",
        description="Serve the HTTP API and the web UI. SIGTERM starts a graceful shutdown, which "
        "completes in-flight requests. The exit status is 3 if the model cannot be loaded.",
    )
    parser.add_argument(
        "--bind", type=_address, metavar="HOST:PORT", help="default: DCTNET_BIND, 127.0.0.1:8080"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until a signal stops the process."""
    from dctnet import logs, tracing
    from dctnet.api_keys import ApiKeys
    from dctnet.model_loading import find_models
    from dctnet.models.errors import ModelError
    from dctnet.models.folder import SHIPPED
    from dctnet.models.styles import STYLES
    from dctnet.server.gunicorn_app import GunicornApp

    # OpenBLAS's threads would spin and take memory, and no large matrices are multiplied.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logs.configure(settings.log_level, settings.log_format)
    if args.bind:
        settings = replace(settings, bind=args.bind)
    # Check everything before the worker starts, so that errors show at once.
    try:
        found = find_models(settings)
    except ModelError as error:
        logger.error("%s", error)
        return EXIT_BROKEN_MODEL
    try:
        _require_worker_tmp_dir(settings.worker_tmp_dir)
        api_keys = ApiKeys(settings.api_keys_file) if settings.api_keys_file else None
        spans = tracing.from_environment(os.environ)
        listener = _listen(settings)
    except SettingsError as error:
        logger.error("%s", error)
        return 1
    for style, model in found.models.items():
        logger.info("the style %s is %s, from %s", style, model.label, model.path)
        if style in STYLES and model.path.parent == SHIPPED:
            logger.info("for the public model of that name, run: dctnet fetch %s", style)
    for style, reason in found.broken.items():
        logger.error("the style %s is left out: %s", style, reason)
    if api_keys is not None:
        logger.info("POST requests need an API key; there are %d", len(api_keys))
    if spans is not None:
        logger.info("requests are traced; the spans go to %s", spans.host)

    def make_replica(launcher: "Launcher") -> "Replica":
        from dctnet.replica import Replica

        return Replica(settings, found, tracing=spans, api_keys=api_keys, launcher=launcher)

    GunicornApp(settings, listener, make_replica).run()
    return 0


def _listen(settings: Settings) -> socket.socket:
    """Listen on the API's address; raise SettingsError unless both addresses are free."""
    listener = _listen_on(settings.bind, "--bind or DCTNET_BIND")
    try:
        # The worker listens on it later.
        _listen_on(settings.management_bind, "DCTNET_MANAGEMENT_BIND").close()
    except SettingsError:
        listener.close()
        raise
    return listener


def _listen_on(address: Address, how: str) -> socket.socket:
    from dctnet.server.listener import listen

    try:
        return listen(address)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {address}: {error.strerror}. Choose another address with {how}."
        ) from error


def _require_worker_tmp_dir(folder: Path | None) -> None:
    """Raise SettingsError unless the worker's heartbeat file can be created."""
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
