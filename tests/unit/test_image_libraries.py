"""Functions and formats of OpenCV and Pillow that the service uses: docs/security.md names them.

OpenCV's wheel bundles FFmpeg and OpenSSL, and both libraries decode many more formats than the
service accepts. None of that is reachable while only what is listed here is called.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.repo import ROOT

PACKAGE = ROOT / "service" / "dctnet"

PIXEL_FUNCTIONS = {
    "GaussianBlur",
    "convertScaleAbs",
    "cvtColor",
    "equalizeHist",
    "fillConvexPoly",
    "getRotationMatrix2D",
    "insertChannel",
    "resize",
    "split",
    "threshold",
    "warpAffine",
}
"""Functions of OpenCV that take arrays and return arrays."""

CODECS = {
    "imdecode": {"engine/blending.py"},  # The head's mask, a verified file of the model folder.
    "imencode": {"imaging/encode.py"},
    "imread": {"preparing/pictures.py"},  # Photos that ship with the package.
}
"""Functions of OpenCV that decode or encode, with the modules that may call them."""

CONSTANTS = re.compile(
    r"BORDER_\w+|COLOR_\w+|IMREAD_COLOR(_RGB)?|IMWRITE_JPEG_QUALITY|INTER_\w+|THRESH_\w+"
)
ERRORS = {"Error", "error"}

PILLOW_MODULES = {
    *("Image", "ImageCms"),
    *("AvifImagePlugin", "JpegImagePlugin", "PngImagePlugin", "WebPImagePlugin"),
}
PILLOW_FORMATS = {
    "imaging/decode.py": "[container.format]",  # One of those that dctnet.imaging recognises.
    "models/known_answer.py": "['PNG']",
}
"""The formats that `Image.open` may try, by module, as they are written there."""


@cache
def nodes() -> list[tuple[str, ast.AST]]:
    """All that the service's modules consist of, each with its module's path."""
    return [
        (str(path.relative_to(PACKAGE)), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
    ]


def attributes_of_cv2(node: ast.AST) -> Iterator[str]:
    """Yield what a node takes of OpenCV, `*` where that cannot be told from the source."""
    match node:
        case ast.Attribute(value=ast.Name(id="cv2"), attr=name):
            yield name
        case ast.Import(names=names):
            aliased = [a for a in names if a.name.split(".")[0] == "cv2" and a.asname]
            nested = [a for a in names if a.name.startswith("cv2.")]
            yield from "*" * bool(aliased or nested)
        case ast.ImportFrom(module=str(source), names=names) if source.split(".")[0] == "cv2":
            yield from (alias.name for alias in names)
        case ast.Call(args=arguments):  # `getattr(cv2, name)`
            yield from "*" * any(isinstance(a, ast.Name) and a.id == "cv2" for a in arguments)


def is_allowed(name: str, where: str) -> bool:
    return (
        name in PIXEL_FUNCTIONS | ERRORS
        or CONSTANTS.fullmatch(name) is not None
        or where in CODECS.get(name, set())
    )


@pytest.mark.promise("Input: uploads reach four decoders of Pillow only")
def test_the_service_uses_only_the_listed_attributes_of_opencv():
    used = {(name, module) for module, node in nodes() for name in attributes_of_cv2(node)}
    assert [pair for pair in sorted(used) if not is_allowed(*pair)] == []
    # Nothing is listed that is not used any more.
    assert used >= {(name, where) for name, modules in CODECS.items() for where in modules}
    assert {name for name, _ in used} >= PIXEL_FUNCTIONS


@pytest.mark.promise("Input: uploads reach four decoders of Pillow only")
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
def test_other_attributes_of_opencv_are_found(source):
    names = [name for node in ast.walk(ast.parse(source)) for name in attributes_of_cv2(node)]
    assert any(not is_allowed(name, "imaging/decode.py") for name in names)


@pytest.mark.promise("Input: uploads reach four decoders of Pillow only")
def test_pillow_opens_the_listed_formats_only():
    opened = {}
    for module, node in nodes():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="Image"), attr="open")):
                formats = [k.value for k in node.keywords if k.arg == "formats"]
                assert module not in opened
                opened[module] = " ".join(map(ast.unparse, formats))
            case ast.ImportFrom(module="PIL", names=names):
                assert {alias.asname or alias.name for alias in names} <= PILLOW_MODULES
            case ast.ImportFrom(module=str(source)):
                assert not source.startswith("PIL.")
            case ast.Import(names=names):
                assert not any(alias.name.split(".")[0] == "PIL" for alias in names)
    assert opened == PILLOW_FORMATS


@pytest.mark.promise("Input: uploads reach four decoders of Pillow only")
def test_no_file_sets_a_variable_of_opencv():
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
