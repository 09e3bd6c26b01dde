"""Source of the weights: two files of MediaPipe's wheel, which is unpacked, not installed.

Taken from the wheel for x86-64 and CPython 3.11, on any machine.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "0.10.21"
PYTHON = "3.11"
PLATFORM = "manylinux_2_28_x86_64"
SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"

DETECTOR = "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite"
"""BlazeFace for full range: 192x192 RGB in -1..1 to 2304 boxes and score logits."""

MESH = "mediapipe/modules/face_landmark/face_landmark.tflite"
"""Face mesh: 192x192 RGB in 0..1 to 468 points x, y, z in pixels, and a presence logit."""


def read_weights() -> dict[str, bytes]:
    """Download the wheel and return its two TFLite files by name.

    Raises SystemExit if the download fails or has another checksum.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _download(Path(folder))
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != SHA256:
            raise SystemExit(f"{path.name} has the sha256 {found}, but {SHA256} is expected.")
        with zipfile.ZipFile(path) as wheel:
            return {name: wheel.read(name) for name in (DETECTOR, MESH)}


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", PYTHON, "--platform", PLATFORM]
    command += ["--dest", str(folder), f"mediapipe=={VERSION}"]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit(f"The wheel of mediapipe {VERSION} cannot be downloaded.")
    return next(folder.glob("*.whl"))
