"""Fails unless a wheel carries the demo model, whole and small, and the files of the web page."""

import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

DEMO = "dctnet/models/demo/"
MAX_DEMO_BYTES = 15_000_000
NEEDED = (
    "dctnet/py.typed",
    f"{DEMO}LICENSES.md",
    f"{DEMO}alpha.jpg",
    f"{DEMO}cartoon_bg.npz",
    f"{DEMO}cartoon_bg.onnx",
    f"{DEMO}detector.onnx",
    f"{DEMO}keypoints.onnx",
    f"{DEMO}golden-output.png",
    f"{DEMO}golden-input.png",
    f"{DEMO}manifest.json",
    "dctnet/api/openapi.json",
    "dctnet/api/openapi.yaml",
    "dctnet/api/static/*.css",
    "dctnet/api/static/*.js",
    "dctnet/api/static/locales/*.js",
    "dctnet/api/templates/*.html",
    "dctnet/conversion/photos/*.jpg",
    "dctnet/conversion/photos/LICENSES.md",
)
KEPT_OUT = ("demo_model/*", "tests/*")


def main(path: Path) -> str | None:
    """Return what is wrong with the wheel in one sentence, or nothing."""
    with zipfile.ZipFile(path) as wheel:
        sizes = {entry.filename: entry.file_size for entry in wheel.infolist()}
    absent = [needed for needed in NEEDED if not any(fnmatch(name, needed) for name in sizes)]
    if absent:
        return f"{path.name} lacks {', '.join(absent)}."
    foreign = [name for name in sizes if any(fnmatch(name, pattern) for pattern in KEPT_OUT)]
    if foreign:
        return f"{path.name} must not carry {', '.join(foreign)}."
    demo_bytes = sum(size for name, size in sizes.items() if name.startswith(DEMO))
    if demo_bytes >= MAX_DEMO_BYTES:
        return f"The demo model has {demo_bytes} bytes; it must have less than {MAX_DEMO_BYTES}."
    print(f"{path.name}: {len(sizes)} files, the demo model {demo_bytes / 1e6:.1f} MB")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
