"""Smoke test of `helm test`: cartoonize a portrait and check the metrics.

Runs in the service's image. Environment: API (URL), MANAGEMENT (host name that resolves to all
replicas), STYLE (expected style; empty accepts any), TIMEOUT (seconds), KEYS (file of API keys).
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

INFERENCES = re.compile(r'^dctnet_inferences_total\{result="ok"\} (\S+)', re.MULTILINE)
TIMEOUT_S = float(os.environ["TIMEOUT"])


def main() -> None:
    """Run the checks; exit with a message at the first that fails."""
    portrait = files("dctnet").joinpath("models/demo/golden-input.png").read_bytes()
    before = count_inferences()
    style, cartoon = post_image(portrait)
    height, width = decode_image(portrait).shape[:2]
    require(cartoon.shape == (height, width, 3), f"the shape of the cartoon is {cartoon.shape}")
    difference = np.abs(decode_image(portrait).astype(int) - cartoon).mean()
    require(difference > 1, "the cartoon equals the portrait")
    require(cartoon.std() > 1, "the cartoon has a single colour")
    expected = os.environ["STYLE"]
    matches = not expected or style.partition("@")[0] == expected
    require(matches, f"the style of the cartoon is {style}, not {expected}")
    wait_until(
        lambda: count_inferences() > before,
        "no replica counts the image in dctnet_inferences_total",
    )
    print(
        f"{style}: {width}x{height} cartoon received; {count_inferences():.0f} inferences so far."
    )


def post_image(image: bytes) -> tuple[str, np.ndarray]:
    """Return the model of the response, and the cartoon as BGR pixels."""
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
            return response.headers["X-Dctnet-Model"], decode_image(response.read())
    except urllib.error.HTTPError as error:
        raise SystemExit(f"The response is {error.code}: {error.read().decode()}") from None


def decode_image(encoded: bytes) -> np.ndarray:
    """Decode an image to BGR pixels."""
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    require(pixels is not None, "the response is not an image")
    return pixels


def count_inferences() -> float:
    """Return the number of successful inferences of all replicas."""
    addresses = {info[4][0] for info in socket.getaddrinfo(os.environ["MANAGEMENT"], 9090)}
    return sum(read_inferences(address) for address in addresses)


def read_inferences(address: str) -> float:
    """Return the number of successful inferences of a replica; 0 if it is unreachable."""
    host = f"[{address}]" if ":" in address else address
    try:
        with urllib.request.urlopen(f"http://{host}:9090/metrics", timeout=10) as response:
            match = INFERENCES.search(response.read().decode())
    except urllib.error.URLError:
        return 0
    require(match is not None, f"{address} has no dctnet_inferences_total")
    return float(match[1])


def wait_until(condition: Callable[[], bool], message: str) -> None:
    """Poll a condition every half second; exit with a message after the timeout."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        require(time.monotonic() < deadline, message)
        time.sleep(0.5)


def require(condition: bool, message: str) -> None:
    """Exit with a message unless the condition holds."""
    if not condition:
        raise SystemExit(f"{message}.")


main()
