"""Check of a wheel's files: the demo model, its size, and the web UI."""

import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

DEMO = "dctnet/models/demo/"
MAX_DEMO_BYTES = 15_000_000
REQUIRED = (
    "dctnet/py.typed",
    f"{DEMO}LICENSES.md",
    f"{DEMO}alpha.jpg",
    f"{DEMO}cartoon_bg.npz",
    f"{DEMO}cartoon_bg.onnx",
    f"{DEMO}detector.onnx",
    f"{DEMO}keypoints.onnx",
    f"{DEMO}golden-checksums.json",
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
FORBIDDEN = ("demo_model/*", "tests/*")


def main(path: Path) -> str | None:
    """Return one sentence on the first error, or None."""
    with zipfile.ZipFile(path) as wheel:
        sizes = {entry.filename: entry.file_size for entry in wheel.infolist()}
    missing = [pattern for pattern in REQUIRED if not any(fnmatch(name, pattern) for name in sizes)]
    if missing:
        return f"{path.name} lacks {', '.join(missing)}."
    forbidden = [name for name in sizes if any(fnmatch(name, pattern) for pattern in FORBIDDEN)]
    if forbidden:
        return f"{path.name} must not carry {', '.join(forbidden)}."
    demo_bytes = sum(size for name, size in sizes.items() if name.startswith(DEMO))
    if demo_bytes >= MAX_DEMO_BYTES:
        return f"The demo model has {demo_bytes} bytes; it must have less than {MAX_DEMO_BYTES}."
    print(f"{path.name}: {len(sizes)} files, the demo model {demo_bytes / 1e6:.1f} MB")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
