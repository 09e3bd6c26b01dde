"""Functions and formats of OpenCV and Pillow in use, as listed in docs/security.md.

OpenCV's wheel bundles FFmpeg and OpenSSL, and both libraries decode many more formats than the
service accepts. None of that is reachable while only what is listed here is called, and while only
whole WebPs are decoded by OpenCV, which tests/unit/test_imaging_array_decoders.py tests.
"""

import re
import subprocess
from functools import cache

import pytest

from tests.support.repo import ROOT

PACKAGE = ROOT / "service" / "dctnet"

PIXEL_FUNCTIONS = {
    "GaussianBlur",
    "addWeighted",
    "convertScaleAbs",
    "cvtColor",
    "equalizeHist",
    "fillConvexPoly",
    "getRotationMatrix2D",
    "resize",
    "threshold",
    "warpAffine",
}
"""Functions of OpenCV that take arrays and return arrays."""

CODECS = {
    "imdecode": {
        "engine/blending.py",  # The head's mask, a verified file of the model folder.
        "imaging/webp.py",  # Uploads in a codec process, once they are known to be WebPs.
    },
    "imencode": {"imaging/encode.py"},
    "imread": {"conversion/trial_images.py"},  # Photos that ship with the package.
}
"""Functions of OpenCV that decode or encode, with the modules that may call them."""

CONSTANTS = re.compile(
    r"BORDER_\w+|COLOR_\w+|IMREAD_COLOR(_RGB)?|IMREAD_UNCHANGED|IMWRITE_JPEG_QUALITY|INTER_\w+|THRESH_\w+"
)
ERRORS = {"Error", "error"}
THREADS = {"setNumThreads"}

PILLOW_MODULES = {
    *("Image", "ImageCms", "ImageDraw", "ImageFont"),
    *("JpegImagePlugin", "PngImagePlugin", "WebPImagePlugin"),
    *("_avif", "_webp"),  # Pillow's bindings of libavif and libwebp.
}
PILLOW_FORMATS = {
    "imaging/decode.py": "[container.format]",  # One of those that dctnet.imaging recognises.
    "models/self_test.py": '["PNG"]',
}
"""Formats that `Image.open` may try, by module, as written there."""


@cache
def modules() -> dict[str, str]:
    """The service's modules, each with its source by its path."""
    return {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}


def attributes_of_cv2(source: str) -> list[str]:
    """Attributes of OpenCV that a module uses; an empty string if unknown."""
    return re.findall(r"\bcv2\b\.?(\w*)", re.sub(r"(?m)^ *import cv2$", "", source))


def is_allowed(name: str, where: str) -> bool:
    return (
        name in PIXEL_FUNCTIONS | ERRORS | THREADS
        or CONSTANTS.fullmatch(name) is not None
        or where in CODECS.get(name, set())
    )


@pytest.mark.promise("Input: uploads reach only listed decoders of Pillow and OpenCV")
def test_service_uses_only_listed_opencv_attributes():
    used = {(name, path) for path, text in modules().items() for name in attributes_of_cv2(text)}
    assert [pair for pair in sorted(used) if not is_allowed(*pair)] == []
    # No listed function is unused.
    assert used >= {(name, where) for name, modules in CODECS.items() for where in modules}
    assert {name for name, _ in used} >= PIXEL_FUNCTIONS


@pytest.mark.promise("Input: uploads reach only listed decoders of Pillow and OpenCV")
@pytest.mark.parametrize(
    "source",
    [
        "cv2.VideoCapture('rtsp://host/')",
        "cv2.VideoWriter()",
        "cv2.dnn.readNet('model')",
        "cv2.imdecode(data, 1)",
        "cv2.imread('portrait.exr')",
        "cv2.imreadmulti('portrait.tif')",
        "cv2.videoio_registry.getBackends()",
        "import cv2 as opencv",
        "import cv2.dnn",
        "from cv2 import VideoCapture",
        "from cv2.dnn import readNet",
        "getattr(cv2, name)",
    ],
)
def test_unlisted_opencv_attributes_are_detected(source):
    names = attributes_of_cv2(source)
    assert any(not is_allowed(name, "imaging/decode.py") for name in names)


@pytest.mark.promise("Input: uploads reach only listed decoders of Pillow and OpenCV")
def test_pillow_opens_only_listed_formats():
    opened = set()
    for module, source in modules().items():
        for imported in re.findall(r"(?m)^ *((?:from|import) PIL\b[^\n(]*(?:\([^)]*)?)", source):
            words = re.findall(r"\w+", imported.removeprefix("from PIL import "))
            assert set(words) <= PILLOW_MODULES, module
        formats = re.findall(r"\bImage\.open\((?:.*formats=(.*?)\))?", source)
        opened |= {(module, tried) for tried in formats}
    assert opened == set(PILLOW_FORMATS.items())


@pytest.mark.promise("Input: uploads reach only listed decoders of Pillow and OpenCV")
def test_no_file_sets_an_opencv_variable():
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "Dockerfile", "helm", "k8s", "service", "single-host"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    files = [ROOT / name for name in tracked.split("\0") if name]
    assert ROOT / "Dockerfile" in files
    setting = [
        str(file.relative_to(ROOT))
        for file in files
        if file.is_file() and re.search(rb"OPENCV_[A-Z]", file.read_bytes())
    ]
    assert setting == []
