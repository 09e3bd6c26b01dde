"""What `helm test` runs in the service's own image: a portrait goes in, a cartoon comes out.

Reads API (a URL), MANAGEMENT (a host whose addresses are all replicas), STYLE (empty: any), TIMEOUT
(seconds) and KEYS (a file of API keys) from the environment.
"""

import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

COUNTED = re.compile(r'^dctnet_inferences_total\{result="ok"\} (\S+)', re.MULTILINE)
TIMEOUT_S = float(os.environ["TIMEOUT"])


def main() -> None:
    """Raise for the first thing that is wrong; the last line says what was seen."""
    portrait = files("dctnet").joinpath("models/demo/golden-input.png").read_bytes()
    before = drawn()
    style, cartoon = post(portrait)
    height, width = pixels(portrait).shape[:2]
    require(cartoon.shape == (height, width, 3), f"the cartoon's shape is {cartoon.shape}")
    difference = np.abs(pixels(portrait).astype(int) - cartoon).mean()
    require(difference > 1, "the answer is the portrait itself")
    require(cartoon.std() > 1, "the answer is of one colour")
    wanted = os.environ["STYLE"]
    require(not wanted or style.partition("@")[0] == wanted, f"{style} drew it, and not {wanted}")
    until(lambda: drawn() > before, "no replica counts the image in dctnet_inferences_total")
    print(f"{style} drew a portrait of {width}x{height}; the replicas have drawn {drawn():.0f}.")


def post(image: bytes) -> tuple[str, np.ndarray]:
    """Return what drew it, and the cartoon's pixels, BGR."""
    headers = {"Content-Type": "image/png"}
    if path := os.environ.get("KEYS"):
        lines = map(str.strip, Path(path).read_text().splitlines())
        headers["Authorization"] = "Bearer " + next(
            line for line in lines if line and line[0] != "#"
        )
    url = f"{os.environ['API']}/v1/cartoons?format=png"
    request = urllib.request.Request(url, image, headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return response.headers["X-Dctnet-Model"], pixels(response.read())
    except urllib.error.HTTPError as error:
        raise SystemExit(f"The service answered {error.code}: {error.read().decode()}") from None


def pixels(encoded: bytes) -> np.ndarray:
    """Decode an image to BGR."""
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    require(decoded is not None, "what was answered is no image")
    return decoded


def drawn() -> float:
    """Return how many images all replicas together have drawn."""
    addresses = {info[4][0] for info in socket.getaddrinfo(os.environ["MANAGEMENT"], 9090)}
    return sum(counted(address) for address in addresses)


def counted(address: str) -> float:
    """Return what one replica counts; 0 for one that has gone since its address was looked up."""
    host = f"[{address}]" if ":" in address else address
    try:
        with urllib.request.urlopen(f"http://{host}:9090/metrics", timeout=10) as response:
            found = COUNTED.search(response.read().decode())
    except urllib.error.URLError:
        return 0
    require(found is not None, f"{address} has no dctnet_inferences_total")
    return float(found[1])


def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Look every half second."""
    end = time.monotonic() + TIMEOUT_S
    while not holds():
        require(time.monotonic() < end, otherwise)
        time.sleep(0.5)


def require(holds: bool, otherwise: str) -> None:
    """End the test with a sentence."""
    if not holds:
        raise SystemExit(f"{otherwise}.")


main()
