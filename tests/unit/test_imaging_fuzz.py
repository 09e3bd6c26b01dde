"""Whatever the bytes, they become a picture or one refusal.

`FUZZ_TRIES=100000 pytest tests/unit/test_imaging_fuzz.py` tries more, and others in each run.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dctnet.imaging import PictureError, decode
from tests.support.corpus import corpus
from tests.support.formats import PNG_SIGNATURE, with_right_checksums

TRIES = 2000
LONGEST = timedelta(seconds=2)
MAX_PIXELS = 100_000
MAX_SEED_BYTES = 4096

SIGNATURES = (b"", b"\xff\xd8\xff", PNG_SIGNATURE, b"RIFF\0\0\0\0WEBPVP8X", b"\0\0\0\x18ftypavif")
SEEDS = {
    sample.name: sample.data
    for sample in corpus()
    if sample.shapes and not sample.errors and len(sample.data) <= MAX_SEED_BYTES
}
TELLING = (
    b"\0",
    b"\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xda",
    b"\1\0",
)

Change = Callable[[bytes], bytes]


def tries(share: float) -> Any:
    """The settings of a test that gets a share of the tries: the same ones in every run of CI."""
    asked_for = os.environ.get("FUZZ_TRIES")
    return settings(
        max_examples=max(1, int(share * int(asked_for or TRIES))),
        derandomize=asked_for is None,
        database=None,
        deadline=LONGEST,
        suppress_health_check=list(HealthCheck),
    )


def places() -> st.SearchStrategy[float]:
    """Where in a picture something happens, as a share of its length."""
    return st.floats(0, 1, exclude_max=True)


def changes() -> st.SearchStrategy[Change]:
    """What may befall a picture on its way."""
    inserts = st.binary(min_size=1, max_size=12) | st.sampled_from(TELLING)
    return st.one_of(
        st.builds(flipped, places(), st.integers(0, 7)),
        st.builds(overwritten, places(), inserts),
        st.builds(inserted, places(), inserts),
        st.builds(left_out, places(), st.integers(1, 64)),
        st.builds(cut, places()),
        st.builds(spliced, places(), st.sampled_from(sorted(SEEDS)), places()),
    )


def flipped(place: float, bit: int) -> Change:
    return lambda data: overwritten(place, bytes((data[int(place * len(data))] ^ 1 << bit,)))(data)


def overwritten(place: float, new: bytes) -> Change:
    def change(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + new + data[at + len(new) :]

    return change


def inserted(place: float, new: bytes) -> Change:
    return lambda data: data[: int(place * len(data))] + new + data[int(place * len(data)) :]


def left_out(place: float, count: int) -> Change:
    return lambda data: data[: int(place * len(data))] + data[int(place * len(data)) + count :]


def cut(place: float) -> Change:
    return lambda data: data[: int(place * len(data))]


def spliced(place: float, other: str, other_place: float) -> Change:
    rest = SEEDS[other][int(other_place * len(SEEDS[other])) :]
    return lambda data: data[: int(place * len(data))] + rest


def becomes_a_picture_or_a_refusal(data: bytes) -> None:
    try:
        rgb = decode(data, MAX_PIXELS)
    except PictureError as error:
        assert str(error).isprintable()  # noqa: PT017 - it may as well be a picture
        return
    assert rgb.dtype == np.uint8
    assert rgb.shape[2:] == (3,)
    assert 0 < rgb.shape[0] * rgb.shape[1] <= MAX_PIXELS


@pytest.mark.filterwarnings("error")
@tries(0.1)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=400))
def test_random_bytes(signature: bytes, data: bytes) -> None:
    becomes_a_picture_or_a_refusal(signature + data)


@pytest.mark.filterwarnings("error")
@tries(0.9)
@given(st.sampled_from(sorted(SEEDS)), st.lists(changes(), min_size=1, max_size=6), st.booleans())
def test_changed_pictures(seed: str, made: list[Change], mend: bool) -> None:
    data = SEEDS[seed]
    for change in made:
        data = change(data) or b"\0"
    if mend and data.startswith(PNG_SIGNATURE):
        data = with_right_checksums(data)
    becomes_a_picture_or_a_refusal(data)
