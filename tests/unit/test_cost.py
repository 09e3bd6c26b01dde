"""Cost model: working pixels, and the image's own by format."""

from itertools import product
from typing import get_args

import pytest

from dctnet import config
from dctnet.config import Settings
from dctnet.cost import DECODE_COST, ENCODE_COST, MIN_COST, RESIZE_COST, job_cost
from dctnet.imaging import MEDIA_TYPES, Format, ImageHeader, InputFormat

MAX_SIDE = 1280


def test_every_format_has_a_cost():
    assert DECODE_COST.keys() == set(get_args(InputFormat))
    assert ENCODE_COST.keys() == set(get_args(Format)) == MEDIA_TYPES.keys()


def test_tiny_image_costs_the_minimum_and_its_pixels():
    pixel = DECODE_COST["PNG"] + RESIZE_COST + ENCODE_COST["png"]
    cost = job_cost(ImageHeader(40, 24, "PNG"), "png", MAX_SIDE)
    assert cost == pytest.approx(MIN_COST + 40 * 24 * pixel)


@pytest.mark.parametrize(("side", "generator"), [(256, 256**2), (257, 257**2)])
def test_minimum_cost_applies_below_its_working_pixels(side, generator):
    pixel = DECODE_COST["JPEG"] + RESIZE_COST + ENCODE_COST["jpeg"]
    cost = job_cost(ImageHeader(side, side, "JPEG"), "jpeg", MAX_SIDE)
    assert cost == pytest.approx(generator + side**2 * pixel)


@pytest.mark.parametrize(("format", "response"), [*product(DECODE_COST, ENCODE_COST)])
def test_thin_image_costs_its_pixels(format, response):
    """Its working size of 1280 x 11 pixels is below the minimum."""
    cost = job_cost(ImageHeader(65_500, 610, format), response, MAX_SIDE)
    own = 65_500 * 610 * (DECODE_COST[format] + RESIZE_COST + ENCODE_COST[response])
    assert cost == pytest.approx(MIN_COST + own)
    assert cost > 50 * MIN_COST


def test_single_thread_stages_cost_more_beside_a_parallel_generator():
    image = ImageHeader(4000, 3000, "JPEG")
    one, four = (job_cost(image, "webp", MAX_SIDE, threads) for threads in (1, 4))
    generator = 720 * 960
    assert four - generator == pytest.approx(4 * (one - generator))


def test_size_limits_the_cost_of_encoding():
    image = ImageHeader(4000, 3000, "JPEG")
    cost = job_cost(image, "webp", MAX_SIDE, max_side=400)
    own = 4000 * 3000 * (DECODE_COST["JPEG"] + RESIZE_COST) + 400 * 300 * ENCODE_COST["webp"]
    assert cost == pytest.approx(720 * 960 + own)


@pytest.mark.parametrize(("slots", "threads"), [("1", "auto"), ("4", "auto"), ("1", "8")])
def test_slot_of_at_most_one_cpu_has_one_thread(slots, threads):
    environ = {
        "DCTNET_CPU_LIMIT_MILLICORES": "1000",
        "DCTNET_SLOTS": slots,
        "DCTNET_THREADS": threads,
    }
    assert Settings.from_environment(environ).threads_per_slot == 1


def test_threads_per_slot_divide_the_cpus_up_to_the_setting(monkeypatch):
    monkeypatch.setattr(config, "available_cpus", lambda limit: 8.0)
    environ = {"DCTNET_SLOTS": "2"}
    assert Settings.from_environment(environ).threads_per_slot == 4
    assert Settings.from_environment(environ | {"DCTNET_THREADS": "3"}).threads_per_slot == 3
