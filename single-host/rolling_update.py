"""Replaces the replicas one after another, and stops at the first that does not become ready.

`supervisorctl update` alone does not look at readiness: where a new setting or release is broken,
it replaces every replica with one that cannot serve. This leaves the others as they are.
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
"""How long one answer of a probe may take."""


def main() -> str | None:
    """Update every replica, or return one sentence on the one that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", type=Path, help="the file that `render.py` was given")
    parser.add_argument("--supervisord", metavar="FILE", help="supervisord's configuration file")
    parser.add_argument(
        "--ready-within", type=float, default=120, metavar="SECONDS", help="default: 120"
    )
    args = parser.parse_args()
    supervisorctl = ["supervisorctl", *(["-c", args.supervisord] if args.supervisord else [])]
    try:
        config = HostConfig.read(args.settings)
    except ConfigError as error:
        return str(error)
    for number in range(1, config.replicas + 1):
        name = f"dctnet-{number}"
        # One that has not changed is left alone. It returns when the old process has ended.
        if status := subprocess.run([*supervisorctl, "update", name], check=False).returncode:
            return f"`supervisorctl update {name}` failed with exit status {status}."
        if not _is_ready_within(args.ready_within, config.management_port(number)):
            log = f"{config.values['LOG_DIR']}/{name}.messages.log"
            return (
                f"{name} was not ready within {args.ready_within:g} s, and {log} should say why;"
                " the replicas after it were left as they are."
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
        except OSError:  # Nobody listens yet, or the answer is 503.
            time.sleep(POLL_INTERVAL_S)
    return False


if __name__ == "__main__":
    sys.exit(main())
