"""Strategies of Hypothesis for bytes that a client may send for a picture."""

from collections.abc import Callable

from hypothesis import strategies as st

from tests.support.corpus import corpus
from tests.support.formats import PNG_SIGNATURE, with_right_checksums

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


def random_bytes() -> st.SearchStrategy[bytes]:
    """Noise, behind a format's signature or none."""
    return st.builds(bytes.__add__, st.sampled_from(SIGNATURES), st.binary(max_size=400))


def changed_pictures() -> st.SearchStrategy[bytes]:
    """Pictures to which several things happened on their way."""
    changed = st.lists(_changes(), min_size=1, max_size=6)
    return st.builds(_after, st.sampled_from(sorted(SEEDS)), changed, st.booleans())


def _after(seed: str, changes: list[Change], mend: bool) -> bytes:
    data = SEEDS[seed]
    for change in changes:
        data = change(data) or b"\0"
    return with_right_checksums(data) if mend and data.startswith(PNG_SIGNATURE) else data


def _places() -> st.SearchStrategy[float]:
    """Where in a picture something happens, as a share of its length."""
    return st.floats(0, 1, exclude_max=True)


def _changes() -> st.SearchStrategy[Change]:
    inserts = st.binary(min_size=1, max_size=12) | st.sampled_from(TELLING)
    return st.one_of(
        st.builds(_flipped, _places(), st.integers(0, 7)),
        st.builds(_overwritten, _places(), inserts),
        st.builds(_inserted, _places(), inserts),
        st.builds(_left_out, _places(), st.integers(1, 64)),
        st.builds(_cut, _places()),
        st.builds(_spliced, _places(), st.sampled_from(sorted(SEEDS)), _places()),
    )


def _flipped(place: float, bit: int) -> Change:
    return lambda data: _overwritten(place, bytes((data[int(place * len(data))] ^ 1 << bit,)))(data)


def _overwritten(place: float, new: bytes) -> Change:
    def change(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + new + data[at + len(new) :]

    return change


def _inserted(place: float, new: bytes) -> Change:
    return lambda data: data[: int(place * len(data))] + new + data[int(place * len(data)) :]


def _left_out(place: float, count: int) -> Change:
    return lambda data: data[: int(place * len(data))] + data[int(place * len(data)) + count :]


def _cut(place: float) -> Change:
    return lambda data: data[: int(place * len(data))]


def _spliced(place: float, other: str, other_place: float) -> Change:
    rest = SEEDS[other][int(other_place * len(SEEDS[other])) :]
    return lambda data: data[: int(place * len(data))] + rest
