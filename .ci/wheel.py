"""Check of a wheel's files: the shipped styles, their size, and the web UI."""

import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

SHIPPED = "dctnet/models/shipped/"
MAX_SHIPPED_BYTES = 16_000_000
STYLES = ("comic", "sketch", "poster")
REQUIRED = (
    "dctnet/py.typed",
    f"{SHIPPED}common/LICENSES.md",
    f"{SHIPPED}common/alpha.jpg",
    f"{SHIPPED}common/cartoon_bg.onnx",
    f"{SHIPPED}common/detector.onnx",
    f"{SHIPPED}common/keypoints.onnx",
    f"{SHIPPED}common/golden-input.png",
    *(
        f"{SHIPPED}{style}/{name}"
        for style in STYLES
        for name in (
            "cartoon_bg.npz",
            "golden-checksums.json",
            "golden-output.png",
            "manifest.json",
        )
    ),
    "dctnet/api/openapi.json",
    "dctnet/api/openapi.yaml",
    "dctnet/api/static/*.css",
    "dctnet/api/static/*.js",
    "dctnet/api/static/locales/*.js",
    "dctnet/api/templates/*.html",
    "dctnet/conversion/photos/*.jpg",
    "dctnet/conversion/photos/LICENSES.md",
    "loadtest/report.css",
    "loadtest/scenarios/*.toml",
    "loadtest/slo.toml",
)
FORBIDDEN = ("shipped_styles/*", "tests/*")


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
    shipped = sum(size for name, size in sizes.items() if name.startswith(SHIPPED))
    if shipped > MAX_SHIPPED_BYTES:
        return f"The shipped styles have {shipped} bytes; at most {MAX_SHIPPED_BYTES} are allowed."
    print(f"{path.name}: {len(sizes)} files, the shipped styles {shipped / 1e6:.1f} MB")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
