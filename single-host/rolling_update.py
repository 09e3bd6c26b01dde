"""Rolling update of the replicas; stops at the first that does not become ready.

`supervisorctl update` alone ignores readiness: with a broken setting or release it replaces every
replica by one that cannot serve. This script leaves the remaining replicas running.
"""

import argparse
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from render import ConfigError, HostConfig

POLL_INTERVAL_S = 0.1
PROBE_TIMEOUT_S = 3
"""Timeout of one readiness probe, in seconds."""


def main() -> str | None:
    """Update every replica; return an error message or None."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", type=Path, help="the settings file of `render.py`")
    parser.add_argument("--supervisord", metavar="FILE", help="configuration file of supervisord")
    parser.add_argument(
        "--ready-within",
        type=float,
        default=120,
        metavar="SECONDS",
        help="readiness timeout of a replica; default: 120",
    )
    args = parser.parse_args()
    supervisorctl = ["supervisorctl", *(["-c", args.supervisord] if args.supervisord else [])]
    try:
        config = HostConfig.read(args.settings)
    except ConfigError as error:
        return str(error)
    for number in range(1, config.replicas + 1):
        name = f"dctnet-{number}"
        # Returns when the old process has exited; an unchanged replica keeps running.
        if status := subprocess.run([*supervisorctl, "update", name], check=False).returncode:
            return f"`supervisorctl update {name}` failed with exit status {status}."
        if not _is_ready_within(args.ready_within, config.management_port(number)):
            log = f"{config.values['LOG_DIR']}/{name}.log"
            return (
                f"{name} was not ready within {args.ready_within:g} s, and {log} should say why;"
                " the replicas after it keep running unchanged."
            )
        print(f"{name}: ready", flush=True)
    return None


def _is_ready_within(seconds: float, management_port: int) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            address = f"http://127.0.0.1:{management_port}/readyz"
            with urllib.request.urlopen(address, timeout=PROBE_TIMEOUT_S):
                return True
        except OSError:  # Connection refused, or 503.
            time.sleep(POLL_INTERVAL_S)
    return False


if __name__ == "__main__":
    sys.exit(main())
