"""Upstream's own code as reference: the `modelscope` package without torch.

It imports torch, and a data set library of 100 MB, only for type names, so empty stand-ins suffice.
They exist only during the import: other tests use modelscope's client unmodified.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

# Same setting as the engine's runtime: both must use the same arithmetic.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class _Absent:
    """Any class of torch's."""


def _never() -> bool:
    return False


def _stand_in(name: str, **names: object) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    vars(module).update(names)
    sys.modules[name] = module
    return module


@contextmanager
def _stand_ins() -> Iterator[None]:
    before = set(sys.modules)
    multiprocessing = _stand_in("torch.multiprocessing")
    distributed = _stand_in("torch.distributed", is_available=_never, is_initialized=_never)
    nn = _stand_in("torch.nn", Module=_Absent, Linear=_Absent)
    _stand_in(
        "torch",
        Tensor=_Absent,
        LongTensor=_Absent,
        nn=nn,
        distributed=distributed,
        multiprocessing=multiprocessing,
    )
    _stand_in("modelscope.msdatasets", MsDataset=_Absent)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "torch" or name == "modelscope.msdatasets":
                del sys.modules[name]


@cache
def _import() -> tuple[ModuleType, type[Any]]:
    # Upstream writes an index of its sources into its cache, and selects a GPU for the process.
    with (
        tempfile.TemporaryDirectory() as cache,
        mock.patch.dict(os.environ, MODELSCOPE_CACHE=cache),
        _stand_ins(),
    ):
        from modelscope.models.cv import cartoon
        from modelscope.pipelines.cv.image_cartoon_pipeline import ImageCartoonPipeline

        for name in ("FaceAna", "get_f5p", "warp_and_crop_face", "padTo16x", "resize_size"):
            getattr(cartoon, name)  # Otherwise imported lazily, without the stand-ins.
    return cartoon, ImageCartoonPipeline


class _Cartoon:
    """The package `modelscope.models.cv.cartoon`, imported when it is first used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest looks for marks of its own.
            raise AttributeError(name)
        return getattr(_import()[0], name)


cartoon = _Cartoon()


class Upstream:
    """The pipeline `image-portrait-stylization` on one model folder."""

    def __init__(self, folder: Path) -> None:
        _, pipeline = _import()
        with _stand_ins():
            self._pipeline = pipeline(str(folder), device="cpu")

    def cartoonize(self, image: Any) -> Any:
        """Return upstream's cartoon of an HxWx3 uint8 RGB image: RGB, uint8 or float32.

        Without a face, the cartoon has upstream's reduced size.
        """
        self._pipeline.facer.reset()  # It remembers the last image's faces.
        return self._pipeline.forward({"img": image})["output_img"][:, :, ::-1]
