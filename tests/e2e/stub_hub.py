"""A stub hub on this machine, which serves the shipped comic in the upstream format to pods."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

from dctnet.models.folder import REQUIRED_FILES
from tests.hub.stand_in import Hub, running

MODEL = "iic/cv_unet_person-image-cartoon_compound-models"

INSTALL_TIMEOUT_S = 900
"""Timeout of fetch and conversion, in seconds, including the pull of TensorFlow's image."""


@contextmanager
def serve(upstream: Path, tls: SSLContext | None = None) -> Iterator[Hub]:
    """Run a hub with one model at E2E_HUB_HOST."""
    files = {name: (upstream / name).read_bytes() for name in REQUIRED_FILES}
    with running(Hub(MODEL, {"master": files}), os.environ["E2E_HUB_HOST"], tls) as hub:
        yield hub


def values(hub: Hub, **model: object) -> dict[str, Any]:
    """Values with which a release fetches from the stub hub, and reaches nothing else."""
    hosts = [urlsplit(address) for address in (hub.address, hub.cdn_address)]
    return {
        "model": {
            "source": "modelscope",
            "endpoint": hub.address,
            # Two pods may start at once, and a small node must fit both.
            "prepare": {"resources": {"requests": {"cpu": "200m", "memory": "1Gi"}}},
            **model,
        },
        "networkPolicy": {
            "modelSource": {
                "cidrs": [f"{hosts[0].hostname}/32"],
                "ports": [host.port for host in hosts],
            },
        },
    }
