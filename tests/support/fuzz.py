"""Hypothesis strategies for bytes that a client may send as an image."""

from collections.abc import Callable
from functools import cache

from hypothesis import strategies as st

from tests.support import profiles as p
from tests.support.corpus import corpus
from tests.support.formats import PNG_SIGNATURE, with_right_checksums
from tests.support.heic_samples import heic_kinds
from tests.support.profile_samples import SPACES, costly_profiles, ordinary_profiles

MAX_SEED_BYTES = 4096

SIGNATURES = (b"", b"\xff\xd8\xff", PNG_SIGNATURE, b"RIFF\0\0\0\0WEBPVP8X", b"\0\0\0\x18ftypavif")
MARKERS = (
    b"\0",
    b"\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xda",
    b"\1\0",
)

Change = Callable[[bytes], bytes]


@cache
def seeds() -> dict[str, bytes]:
    return {
        sample.name: sample.data
        for sample in corpus()
        if sample.shapes and not sample.errors and len(sample.data) <= MAX_SEED_BYTES
    }


SEED_NAMES = st.deferred(lambda: st.sampled_from(sorted(seeds())))
"""Deferred, because it encodes the corpus."""

POSITIONS = st.floats(0, 1, exclude_max=True)
"""Positions in an image, as fractions of its length."""


def random_bytes() -> st.SearchStrategy[bytes]:
    """Noise, after a format's signature or none."""
    return st.builds(bytes.__add__, st.sampled_from(SIGNATURES), st.binary(max_size=400))


def changed_images() -> st.SearchStrategy[bytes]:
    """Images with several random changes."""
    changed = st.lists(_changes(), min_size=1, max_size=6)
    return st.builds(_apply, SEED_NAMES, changed, st.booleans())


def changed_heic() -> st.SearchStrategy[bytes]:
    """HEIC files with several random changes."""
    kinds = st.sampled_from(sorted(heic_kinds().values()))
    return st.builds(_change, kinds, st.lists(_changes(), min_size=1, max_size=6))


def _change(data: bytes, changes: list[Change]) -> bytes:
    for change in changes:
        data = change(data) or b"\0"
    return data


def _apply(seed: str, changes: list[Change], mend: bool) -> bytes:
    data = _change(seeds()[seed], changes)
    return with_right_checksums(data) if mend and data.startswith(PNG_SIGNATURE) else data


def profiles() -> st.SearchStrategy[tuple[str, bytes]]:
    """ICC profiles, built from unusual parts or damaged, each with the mode of its image."""
    return st.one_of(
        st.builds(_build, st.sampled_from(sorted(SPACES)), _tags(), VERSIONS, CONNECTION_SPACES),
        st.builds(_damage, st.sampled_from(PROFILES), st.lists(_changes(), max_size=4)),
    )


PROFILES = [
    *ordinary_profiles().values(),
    *((mode, d) for mode in SPACES for d in costly_profiles(mode).values()),
]

VERSIONS = st.sampled_from((2, 4, 5, 9))
CONNECTION_SPACES = st.sampled_from((b"XYZ ", b"Lab ", b"RGB ", b"CMYK", b"\0\0\0\0"))
POINTS = st.lists(st.integers(0, 65535), max_size=8)

TAGS = [b"desc", b"wtpt", b"chad", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC"]
TAGS += [name + bytes([digit]) for name in (b"A2B", b"B2A", b"D2B", b"B2D") for digit in b"0123"]
TAGS += [b"ncl2", b"clrt", b"gamt", b"pseq", b"dscm"]


def _damage(sample: tuple[str, bytes], changes: list[Change]) -> tuple[str, bytes]:
    mode, profile = sample
    for change in changes:
        profile = change(profile) or b"\0"
    return mode, profile


def _build(mode: str, tags: dict[bytes, bytes], version: int, space: bytes) -> tuple[str, bytes]:
    return mode, p.profile(SPACES[mode], tags, connection_space=space, version=version)


def _tags() -> st.SearchStrategy[dict[bytes, bytes]]:
    numbers = st.floats(-32768, 32767, width=32)
    channels = st.integers(0, 16)
    sides = st.integers(0, 255)
    curves = st.one_of(
        st.builds(lambda points, times: p.curve(*points * times), POINTS, st.integers(0, 4000)),
        st.builds(p.gamma, st.floats(0, 255)),
        st.sampled_from((1, 3, 4, 5, 7)).flatmap(
            lambda count: st.builds(p.parametric, *[numbers] * count)
        ),
    )
    cluts = st.builds(bytes.__mul__, st.binary(max_size=64), st.integers(0, 20_000))
    bodies = st.one_of(
        curves,
        st.builds(p.xyz, numbers, numbers, numbers),
        st.builds(p.description, st.text("sRGB ", max_size=20), VERSIONS),
        st.builds(p.lut8, channels, sides, cluts, outputs=st.just(3) | channels),
        st.builds(
            p.lut16,
            *(channels, sides, cluts),
            outputs=st.just(3) | channels,
            entries=st.integers(2, 5000),
        ),
        st.builds(
            p.lut_a_to_b,
            *(channels, st.binary(max_size=16), cluts),
            curves=curves,
            outputs=st.just(3) | channels,
            precision=st.integers(0, 3),
        ),
        st.builds(
            p.process_elements, st.integers(1, 4), st.integers(0, 1000), st.integers(1, 1000)
        ),
        st.binary(max_size=64),
    )
    return st.dictionaries(st.sampled_from(TAGS), bodies, max_size=12)


def _changes() -> st.SearchStrategy[Change]:
    inserts = st.binary(min_size=1, max_size=12) | st.sampled_from(MARKERS)
    return st.one_of(
        st.builds(_flip, POSITIONS, st.integers(0, 7)),
        st.builds(_overwrite, POSITIONS, inserts),
        st.builds(_insert, POSITIONS, inserts),
        st.builds(_delete, POSITIONS, st.integers(1, 64)),
        st.builds(_truncate, POSITIONS),
        st.builds(_splice, POSITIONS, SEED_NAMES, POSITIONS),
    )


def _flip(position: float, bit: int) -> Change:
    return lambda data: _overwrite(position, bytes((data[int(position * len(data))] ^ 1 << bit,)))(
        data
    )


def _overwrite(position: float, new: bytes) -> Change:
    def change(data: bytes) -> bytes:
        at = int(position * len(data))
        return data[:at] + new + data[at + len(new) :]

    return change


def _insert(position: float, new: bytes) -> Change:
    return lambda data: data[: int(position * len(data))] + new + data[int(position * len(data)) :]


def _delete(position: float, count: int) -> Change:
    return lambda data: (
        data[: int(position * len(data))] + data[int(position * len(data)) + count :]
    )


def _truncate(position: float) -> Change:
    return lambda data: data[: int(position * len(data))]


def _splice(position: float, other: str, other_position: float) -> Change:
    rest = seeds()[other][int(other_position * len(seeds()[other])) :]
    return lambda data: data[: int(position * len(data))] + rest
