"""Smoke test of `helm test`: cartoonize a portrait in each style and check the metrics.

Runs in the service's image. Environment: API (URL), MANAGEMENT (host name that resolves to all
replicas), STYLES (expected styles with commas between them, the default first; empty accepts any),
TIMEOUT (seconds), KEYS (file of API keys).
"""

import json
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

INFERENCES = re.compile(r"^dctnet_inferences_total\{(.*)\} (\S+)", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
TIMEOUT_S = float(os.environ["TIMEOUT"])


def main() -> None:
    """Run the checks; exit with a message at the first that fails."""
    expected = [style for style in os.environ["STYLES"].split(",") if style]
    styles = list_styles()
    missing = [style for style in expected if style not in styles]
    require(
        not missing, f"the styles {', '.join(missing)} are not served, only {', '.join(styles)}"
    )
    default = expected[0] if expected else styles[0]
    require(styles[0] == default, f"the default style is {styles[0]}, not {default}")
    portrait = files("dctnet").joinpath("models/shipped/common/golden-input.png").read_bytes()
    before = count_inferences()
    for style in styles:
        check_cartoon(portrait, style)
    wait_until(
        lambda: all(count_inferences()[style] > before[style] for style in styles),
        "no replica counts the images of each style in dctnet_inferences_total",
    )
    total = sum(count_inferences().values())
    print(f"A cartoon in each style received: {', '.join(styles)}; {total:.0f} inferences so far.")


def check_cartoon(portrait: bytes, style: str) -> None:
    """Request a cartoon in a style, and check its style and pixels."""
    found, cartoon = post_image(portrait, style)
    require(found == style, f"the style of the cartoon is {found}, not {style}")
    pixels = decode_image(portrait)
    require(cartoon.shape == pixels.shape, f"the shape of the cartoon is {cartoon.shape}")
    difference = np.abs(pixels.astype(int) - cartoon).mean()
    require(difference > 1, f"the {style} cartoon equals the portrait")
    require(cartoon.std() > 1, f"the {style} cartoon has a single colour")


def list_styles() -> list[str]:
    """Return the names of the loaded styles, the default first."""
    with call_api("/v1/styles") as response:
        return [style["name"] for style in json.load(response)["styles"]]


def post_image(image: bytes, style: str) -> tuple[str | None, np.ndarray]:
    """Return the style that the response names, and the cartoon as BGR pixels."""
    with call_api(f"/v1/cartoons?format=png&style={style}", image) as response:
        return response.headers["X-Dctnet-Style"], decode_image(response.read())


def call_api(path: str, image: bytes | None = None) -> Any:
    """Return the response to GET, or to POST of an image; exit with a message for an error."""
    headers = {"Content-Type": "image/png"} if image else {}
    if keys := os.environ.get("KEYS"):
        lines = map(str.strip, Path(keys).read_text().splitlines())
        headers["Authorization"] = "Bearer " + next(
            line for line in lines if line and line[0] != "#"
        )
    request = urllib.request.Request(os.environ["API"] + path, image, headers)
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        answer = error.read().decode()
        raise SystemExit(f"The response of {path} is {error.code}: {answer}") from None


def decode_image(encoded: bytes) -> np.ndarray:
    """Decode an image to BGR pixels."""
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    require(pixels is not None, "the response is not an image")
    return pixels


def count_inferences() -> Counter[str]:
    """Return the number of successful inferences of all replicas, by style."""
    found = socket.getaddrinfo(os.environ["MANAGEMENT"], 9090)
    # A dual-stack replica has an address of each family.
    addresses = {address[0] for family, *_, address in found if family == found[0][0]}
    counts: Counter[str] = Counter()
    for address in addresses:
        counts.update(read_inferences(address))
    return counts


def read_inferences(address: str) -> dict[str, float]:
    """Return successful inferences of a replica by style; nothing if it is unreachable."""
    host = f"[{address}]" if ":" in address else address
    try:
        with urllib.request.urlopen(f"http://{host}:9090/metrics", timeout=10) as response:
            metrics = response.read().decode()
    except urllib.error.URLError:
        return {}
    series = [(dict(LABEL.findall(labels)), value) for labels, value in INFERENCES.findall(metrics)]
    require(bool(series), f"{address} has no dctnet_inferences_total")
    return {labels["style"]: float(n) for labels, n in series if labels["result"] == "ok"}


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
