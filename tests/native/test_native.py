"""The Python side of the native runtime: packed weights, memory, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from dctnet.models.errors import ModelError
from dctnet.runtimes import native
from dctnet.runtimes.weights import COUNT, LAYERS, Weights


@pytest.fixture(scope="module")
def weights() -> Weights:
    values = np.random.default_rng(3).standard_normal(COUNT).astype(np.float32) * np.float32(0.03)
    return Weights(values, 0.005)


@pytest.fixture
def scratches(built: None) -> native.Scratches:
    return native.Scratches(native.library(native.pick()))


def _constants() -> dict[str, np.ndarray]:
    return {
        f"generator/{layer}/{kind}": np.full(shape, number, np.float32)
        for number, (layer, sides) in enumerate(LAYERS.items())
        for kind, shape in (("weights", sides), ("biases", sides[3:]))
    }


def test_weights_are_taken_in_the_graphs_order() -> None:
    values = Weights.of(_constants(), 0.005).values
    assert values.dtype == np.float32
    assert len(values) == COUNT
    numbers = values[np.flatnonzero(np.diff(values, prepend=-1))]
    np.testing.assert_array_equal(numbers, np.arange(len(LAYERS)))


def test_a_graph_without_a_layer_is_refused() -> None:
    constants = _constants()
    del constants["generator/block_2/conv1/biases"]
    with pytest.raises(ModelError, match=r"has no generator/block_2/conv1/biases\."):
        Weights.of(constants, 0.005)


def test_a_layer_of_another_shape_is_refused() -> None:
    constants = _constants()
    constants["generator/Conv_9/weights"] = np.zeros((7, 7, 32, 4), np.float32)
    with pytest.raises(ModelError, match=r"Conv_9/weights is \(7, 7, 32, 4\), not \(7, 7, 32, 3\)"):
        Weights.of(constants, 0.005)


def test_packed_weights_are_the_same_when_read_again(weights: Weights) -> None:
    again = Weights.unpack(weights.pack())
    np.testing.assert_array_equal(again.values, weights.values)
    assert again.epsilon == np.float32(weights.epsilon)


@pytest.mark.parametrize("position", [0, 8, 12])
def test_packed_weights_of_another_kind_are_refused(weights: Weights, position: int) -> None:
    packed = bytearray(weights.pack())
    packed[position] ^= 1
    with pytest.raises(ModelError, match="not of version 1"):
        Weights.unpack(bytes(packed))


def test_packed_weights_of_another_length_are_refused(weights: Weights) -> None:
    with pytest.raises(ModelError, match=r"have \d+ bytes, not \d+"):
        Weights.unpack(weights.pack()[:-1])


def test_the_library_has_as_many_weights(scratches: native.Scratches) -> None:
    assert scratches.library.dctnet_weight_count() == COUNT


def test_too_few_weights_are_refused(scratches: native.Scratches, weights: Weights) -> None:
    with pytest.raises(native.NativeError, match="weights are not as many"):
        native.NativeGenerator(Weights(weights.values[1:], 0.005), scratches)


@pytest.mark.parametrize("size", [(18, 16), (16, 8196), (0, 16)])
def test_a_size_that_the_graph_does_not_take_is_refused(
    scratches: native.Scratches, weights: Weights, size: tuple[int, int]
) -> None:
    generator = native.NativeGenerator(weights, scratches)
    with pytest.raises(native.NativeError, match="no multiple of 4, or over 8192"):
        generator(np.zeros((*size, 3), np.uint8))


def test_what_is_no_picture_is_refused(scratches: native.Scratches, weights: Weights) -> None:
    generator = native.NativeGenerator(weights, scratches)
    with pytest.raises(ValueError, match="HxWx3 uint8"):
        generator(np.zeros((16, 16, 4), np.uint8))


def test_a_picture_need_not_be_contiguous(scratches: native.Scratches, weights: Weights) -> None:
    generator = native.NativeGenerator(weights, scratches)
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    mirrored = picture[:, ::-1]
    np.testing.assert_array_equal(generator(mirrored), generator(mirrored.copy()))


def test_memory_grows_to_the_largest_picture_and_is_given_back(
    scratches: native.Scratches, weights: Weights
) -> None:
    generator = native.NativeGenerator(weights, scratches)
    assert scratches.nbytes == 0
    generator(np.zeros((96, 96, 3), np.uint8))
    held = scratches.nbytes
    generator(np.zeros((32, 32, 3), np.uint8))
    assert scratches.nbytes == held > 0
    scratches.trim()
    assert scratches.nbytes == 0


def test_a_slots_memory_is_bounded_at_the_usual_working_size(
    scratches: native.Scratches, weights: Weights
) -> None:
    native.NativeGenerator(weights, scratches)(np.zeros((720, 960, 3), np.uint8))
    assert scratches.nbytes < 200e6


def test_a_profile_names_where_the_time_went(scratches: native.Scratches, weights: Weights) -> None:
    generator = native.NativeGenerator(weights, scratches)
    with scratches.borrow() as scratch:
        generator.draw_in(scratch, np.zeros((96, 96, 3), np.uint8), 1)
        profile = scratch.profile()
    assert max(profile, key=profile.__getitem__) == "blocks"
    assert all(seconds > 0 for seconds in profile.values())


def test_an_absent_variant_is_named(built: None) -> None:
    with pytest.raises(native.NativeError, match=r"no libdctnet-vax\.so: build it \(make native\)"):
        native.library("vax")


def test_a_library_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "libdctnet-broken.so"
    path.write_bytes(b"no library")
    with pytest.raises(native.NativeError, match="cannot be loaded"):
        native.Library(path)


def test_where_nothing_is_built_the_choice_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native.platform, "machine", lambda: "vax")
    with pytest.raises(native.NativeError, match="not built for vax"):
        native.pick()
