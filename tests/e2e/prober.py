"""Probe client: requests a URL repeatedly and prints latencies; runs in a pod.

The pod gets this source by `python -c`, so it imports only the standard library.
"""

import json
import sys
import time
import urllib.request

INTERVAL_S = 0.25
TIMEOUT_S = 30


def main(url: str, duration_s: float) -> None:
    seconds: list[float] = []
    failures: list[str] = []
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        started = time.monotonic()
        try:
            # A new connection per probe, as the kubelet does.
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
                response.read()
        except OSError as error:
            failures.append(str(error))
        seconds.append(time.monotonic() - started)
        time.sleep(max(0.0, INTERVAL_S - seconds[-1]))
    print(json.dumps({"seconds": seconds, "failures": failures}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
