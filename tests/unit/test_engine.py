"""The whole engine, on networks with known outputs."""

from collections.abc import Callable
from threading import Barrier, Thread, active_count, current_thread
from typing import Any

import cv2
import numpy as np
import pytest

from dctnet.arrays import Floats, GeneratorOutput, Pixels
from dctnet.engine import Engine
from dctnet.engine.geometry import REDUCED_MARGIN, reduction, resized_strips, working_size
from dctnet.runtimes import Networks
from tests.support.polling import BOUND_S

ALPHA = np.zeros((288, 288), np.float32)
cv2.circle(ALPHA, (144, 144), 120, 1.0, -1)

# The landmarks of a frontal face that the engine uses, in iBUG's order, in a box of 1 by 1.
FACE = np.full((68, 2), 0.5, np.float32)
FACE[36:42] = [[0.28, 0.4], [0.32, 0.38], [0.36, 0.38], [0.4, 0.4], [0.36, 0.42], [0.32, 0.42]]
FACE[42:48] = [[0.6, 0.4], [0.64, 0.38], [0.68, 0.38], [0.72, 0.4], [0.68, 0.42], [0.64, 0.42]]
FACE[30], FACE[48], FACE[54] = [0.5, 0.55], [0.37, 0.7], [0.63, 0.7]


def darker(image: Pixels) -> GeneratorOutput:
    assert image.shape[0] % 16 == 0
    assert image.shape[1] % 16 == 0
    return image // 2


def red(image: Pixels) -> GeneratorOutput:
    return np.full_like(image, (0, 0, 255))  # BGR.


def detector(
    *boxes: tuple[float, float, float, float],
) -> Callable[[Pixels], tuple[Floats, Floats]]:
    """Return a network that finds a face at each x1, y1, x2, y2, in pixels of 512x512."""
    rows = np.array(boxes, np.float32).reshape(-1, 4)[:, [1, 0, 3, 2]] / 512
    return lambda _: (rows, np.ones(len(rows), np.float32))


def engine(*boxes: tuple[float, float, float, float], **changes: Any) -> Engine:
    networks: dict[str, Any] = {
        "background": darker,
        "head": red,
        "detector": detector(*boxes),
        "landmarks": lambda _: FACE,
    }
    return Engine(Networks(**networks | changes), ALPHA)


def photo(height: int, width: int) -> Pixels:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def red_pixels(image: Pixels) -> Any:
    return (image == (255, 0, 0)).all(axis=2)


def test_image_without_face_uses_only_the_background():
    image = photo(250, 333)
    cartoon = engine().cartoonize(image)
    np.testing.assert_array_equal(cartoon.image, image // 2)
    assert cartoon.faces == 0
    assert list(cartoon.stages) == ["background", "faces", "head", "blend"]
    assert cartoon.stages["background"] > 0
    assert cartoon.stages["head"] == 0


def test_head_is_blended_only_at_the_face():
    image = photo(512, 512)
    cartoon = engine((100, 150, 260, 310)).cartoonize(image)
    assert cartoon.faces == 1
    generated = red_pixels(cartoon.image)
    assert generated[240, 180]
    np.testing.assert_array_equal(cartoon.image[:, 400:], image[:, 400:] // 2)
    ys, xs = np.nonzero(generated)
    assert xs.mean() == pytest.approx(180, abs=12)
    assert ys.mean() == pytest.approx(230, abs=30)
    assert min(cartoon.stages.values()) > 0


@pytest.mark.parametrize(
    ("boxes", "faces"),
    [
        ([(-40, -40, 60, 60)], 1),  # At the corner.
        ([(480, 200, 580, 300)], 1),  # At the border.
        ([(100, 100, 250, 250), (180, 140, 330, 290)], 2),  # Overlapping.
        ([(50.0 * i, 200, 50 * i + 80, 280) for i in range(9)] + [(0, 0, 90, 90)], 10),
        ([(50.0 * i, 200, 50 * i + 80, 280) for i in range(10)] + [(0, 0, 90, 90)], 10),
        ([(100, 100, 150, 150)], 0),  # Too small.
        ([(3000, 3000, 3200, 3200)], 0),  # Nowhere.
    ],
)
def test_any_number_and_position_of_faces_gives_a_cartoon(boxes, faces):
    cartoon = engine(*boxes).cartoonize(photo(512, 512))
    assert cartoon.image.shape == (512, 512, 3)
    assert cartoon.image.dtype == np.uint8
    assert cartoon.faces == faces


def test_smallest_overlapping_head_is_blended_last():
    colours = iter([(0, 0, 255), (0, 255, 0)])
    boxes = (100, 100, 200, 200), (110, 110, 300, 300)
    generated = engine(*boxes, head=lambda p: np.full_like(p, next(colours))).cartoonize(
        photo(512, 512)
    )
    assert generated.faces == 2
    np.testing.assert_array_equal(generated.image[155, 150], [0, 255, 0])
    np.testing.assert_array_equal(generated.image[260, 205], [255, 0, 0])


def test_coinciding_points_are_no_face():
    point = np.full((68, 2), 0.5, np.float32)
    image = photo(512, 512)
    cartoon = engine((100, 100, 300, 300), landmarks=lambda _: point).cartoonize(image)
    assert cartoon.faces == 0
    np.testing.assert_array_equal(cartoon.image, image // 2)


@pytest.mark.parametrize(
    "shape", [(16, 4000), (4000, 16), (1, 1), (1, 2000), (15, 17), (800, 1300)]
)
def test_cartoon_has_the_size_of_the_image(shape):
    cartoon = engine((100, 100, 300, 300)).cartoonize(photo(*shape))
    assert cartoon.image.shape == (*shape, 3)


def test_network_inputs_stay_within_max_working_side():
    seen = []

    def background(image: Pixels) -> GeneratorOutput:
        seen.append(image.shape)
        return image

    networks = Networks(background, red, detector(), lambda _: FACE)
    Engine(networks, ALPHA, max_working_side=160).cartoonize(photo(100, 160))
    Engine(networks, ALPHA, max_working_side=160).cartoonize(photo(101, 161))
    assert seen == [(112, 176, 3), (112, 176, 3)]


def test_faces_are_detected_beside_the_background_where_a_thread_is_to_spare():
    image, box = photo(512, 512), (100, 150, 260, 310)
    both = Barrier(2)

    def background(image: Pixels) -> GeneratorOutput:
        both.wait(BOUND_S)
        return darker(image)

    def detect(square: Pixels) -> tuple[Floats, Floats]:
        both.wait(BOUND_S)
        return detector(box)(square)

    beside = engine(background=background, detector=detect, has_spare_thread=lambda: True)
    cartoon = beside.cartoonize(image)
    np.testing.assert_array_equal(cartoon.image, engine(box).cartoonize(image).image)


def test_faces_are_detected_in_the_same_thread_where_no_thread_is_to_spare():
    threads = []

    def detect(square: Pixels) -> tuple[Floats, Floats]:
        threads.append(current_thread())
        return detector()(square)

    engine(detector=detect).cartoonize(photo(64, 64))
    assert threads == [current_thread()]


def test_faces_are_detected_in_the_same_thread_where_the_system_has_no_more(monkeypatch):
    def no_thread(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    box = (100, 150, 260, 310)
    beside = engine(box, has_spare_thread=lambda: True)
    expected = beside.cartoonize(photo(512, 512))
    monkeypatch.setattr(Thread, "start", no_thread)
    cartoon = beside.cartoonize(photo(512, 512))
    np.testing.assert_array_equal(cartoon.image, expected.image)
    assert cartoon.faces == 1


@pytest.mark.parametrize("network", ["background", "detector"])
def test_failure_of_either_network_ends_both_threads(network):
    def fail(_: Pixels) -> Any:
        raise MemoryError

    before = active_count()
    failing = engine(**{network: fail}, has_spare_thread=lambda: True)
    with pytest.raises(MemoryError):
        failing.cartoonize(photo(64, 64))
    assert active_count() == before


@pytest.mark.parametrize("strength", [1, 0.5])
@pytest.mark.parametrize("shape", [(512, 512), (1500, 1000)])
def test_input_image_is_not_modified(shape, strength):
    image = photo(*shape)
    before = image.copy()
    cartoon = engine((100, 100, 300, 300)).cartoonize(image, strength)
    assert not np.shares_memory(cartoon.image, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("shape", [(512, 512), (1500, 1000)])
def test_strength_mixes_cartoon_and_image(shape):
    image, cartoonist = photo(*shape), engine((100, 100, 300, 300))
    cartoon = cartoonist.cartoonize(image).image
    np.testing.assert_array_equal(cartoonist.cartoonize(image, 1.0, max(shape)).image, cartoon)
    np.testing.assert_array_equal(cartoonist.cartoonize(image, 0.0).image, image)
    mixed = cartoonist.cartoonize(image, 0.5).image
    assert np.abs(mixed - (cartoon.astype(float) + image) / 2).max() <= 1


def test_strength_zero_counts_the_faces():
    assert engine((100, 100, 300, 300)).cartoonize(photo(512, 512), 0.0).faces == 1


@pytest.mark.parametrize(
    ("shape", "max_side", "expected"),
    [
        ((1500, 1000), 1499, (1499, 999)),  # Larger than the working size.
        ((1500, 1000), 300, (300, 200)),  # Smaller.
        ((16, 4000), 100, (1, 100)),
        ((100, 200), 201, (100, 200)),
    ],
)
def test_max_side_limits_the_cartoon(shape, max_side, expected):
    image = photo(*shape)
    cartoon = engine().cartoonize(image, max_side=max_side).image
    assert cartoon.shape == (*expected, 3)
    mixed = engine().cartoonize(image, 0.0, max_side).image
    resized = cv2.resize(image, expected[::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(mixed, resized)


def test_reduced_cartoon_is_the_average_of_the_full_one():
    image = np.kron(photo(32, 48), np.ones((8, 8, 1), np.uint8))
    cartoon = engine().cartoonize(image, max_side=48).image
    np.testing.assert_array_equal(cartoon, image[::8, ::8] // 2)


def test_levels_are_clipped_and_rounded():
    levels = np.array([-40, 0.4, 0.6, 254.6, 300], np.float32)

    def background(image: Pixels) -> GeneratorOutput:
        return np.repeat(np.resize(levels, image.shape[:2])[:, :, np.newaxis], 3, axis=2)

    image = engine(background=background).cartoonize(photo(16, 16)).image
    assert image.ravel()[:15:3].tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_non_rgb_array_is_rejected(image):
    with pytest.raises(ValueError, match=r"image"):
        engine().cartoonize(image)


def test_cartoon_may_replace_its_image():
    image = photo(1500, 1000)
    cartoonist = engine((100, 100, 300, 300))
    for strength, max_side in (1.0, None), (0.5, None), (0.5, 700):
        memory = image.copy().ravel()
        cartoon = cartoonist.cartoonize(
            memory.reshape(image.shape),
            strength,
            max_side,
            allocate=lambda shape, memory=memory: memory[: np.prod(shape)].reshape(shape),
        )
        assert np.shares_memory(cartoon.image, memory)
        expected = cartoonist.cartoonize(image, strength, max_side).image
        np.testing.assert_array_equal(cartoon.image, expected)


def test_reduced_image_gets_the_cartoon_of_the_whole_one():
    reduced = photo(760, 1000)
    whole = np.kron(reduced, np.ones((4, 4, 1), np.uint8))
    cartoonist = engine((100, 100, 300, 300))
    cartoon = cartoonist.cartoonize(reduced, size=whole.shape[:2]).image
    expected = cartoonist.cartoonize(whole).image
    assert cartoon.shape == expected.shape == (3040, 4000, 3)
    assert np.abs(cartoon.astype(int) - expected).max() <= 1
    cartoon = cartoonist.cartoonize(reduced, 0.0, 500, whole.shape[:2]).image
    np.testing.assert_array_equal(
        cartoon, cv2.resize(reduced, (500, 380), interpolation=cv2.INTER_AREA)
    )


@pytest.mark.parametrize(
    ("size", "max_side", "strength", "factor"),
    [
        # Phones with 12, 48 and 50 megapixels.
        ((3024, 4032), None, 1.0, 2),
        ((6048, 8064), None, 1.0, 4),
        ((6120, 8160), None, 1.0, 4),
        # At the limit, and one step past it.
        ((2880, 2880), None, 1.0, 2),
        ((2878, 2878), None, 1.0, 1),
        ((11520, 11520), None, 1.0, 8),
        ((11512, 11520), None, 1.0, 4),
        # The factor divides both sides.
        ((2881, 2880), None, 1.0, 1),
        ((6046, 8064), None, 1.0, 2),
        # The image itself is mixed in, at the size of the cartoon.
        ((6048, 8064), None, 0.99, 1),
        ((6048, 8064), 2016, 0.99, 2),
        ((6048, 8064), 2017, 0.99, 1),
        ((6048, 8064), 100, 0.99, 4),
        ((64, 64000), None, 1.0, 8),
    ],
)
def test_reduction_leaves_twice_the_sides_that_are_needed(size, max_side, strength, factor):
    assert reduction(*size, 1280, max_side, strength) == factor
    assert reduction(*size[::-1], 1280, max_side, strength) == factor
    needed = working_size(*size, 1280)
    assert factor == 1 or min(np.divide(size, needed)) >= REDUCED_MARGIN * factor


@pytest.mark.parametrize(
    ("size", "to"),
    [
        ((72, 115), (500, 800)),
        ((720, 960), (3024, 4032)),
        ((720, 960), (721, 960)),
        ((1, 1280), (1, 4000)),
        ((1280, 1), (4000, 1)),
        ((13, 17), (4001, 3999)),
        ((100, 200), (99, 201)),
        ((100, 200), (50, 100)),
        ((720, 960), (720, 960)),
    ],
)
def test_strips_are_those_of_the_whole_resized_canvas(size, to):
    canvas = np.random.default_rng(0).random((*size, 3), np.float32) * 255
    whole = cv2.resize(canvas, to[::-1], interpolation=cv2.INTER_AREA).reshape(*to, 3)
    strips = [(rows, strip.copy()) for rows, strip in resized_strips(canvas, *to)]
    assert [rows.start for rows, _ in strips[1:]] == [rows.stop for rows, _ in strips[:-1]]
    np.testing.assert_allclose(np.concatenate([strip for _, strip in strips]), whole, atol=1e-3)
