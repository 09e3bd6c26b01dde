"""The answer of the engine on TensorFlow is what upstream's once was, kept in files."""

import json

import numpy as np
import pytest
from PIL import Image

from dctnet.engine import Engine
from dctnet.models.folder import DEMO
from dctnet.models.manifest import digest
from tests.equivalence.compare import TOLERANCE, difference
from tests.equivalence.golden import FOLDER, NAMES, RECORD, sha256
from tests.support.pictures import SAMPLES

GOLDEN = json.loads(RECORD.read_text())
REMAKE = "make the golden pictures anew: .venv/bin/python -m tests.equivalence.golden"


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_draws_the_golden_picture(reference: Engine, name: str) -> None:
    golden = GOLDEN["pictures"][name]
    picture = next(sample for sample in SAMPLES if sample.name == name).picture()
    assert sha256(picture) == golden["input"], REMAKE
    cartoon = reference.cartoonize(picture)
    assert cartoon.faces == golden["faces"]
    with Image.open(FOLDER / golden["file"]) as expected:
        assert difference(np.asarray(expected), cartoon.picture) <= TOLERANCE


def test_the_golden_pictures_were_made_with_this_demo_model() -> None:
    assert GOLDEN["model"] == digest((DEMO / "manifest.json").read_bytes()), REMAKE
    assert set(GOLDEN["pictures"]) == set(NAMES)
