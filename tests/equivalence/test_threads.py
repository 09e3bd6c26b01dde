"""Threads share one engine and get the serial answers, bit by bit."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import skimage.data

RUNS = 200
THREADS = 8

_portrait = skimage.data.astronaut()
_two_faces = np.hstack([_portrait[20:280, 110:350], _portrait[20:280, 350:110:-1]])
PICTURES = [
    np.ascontiguousarray(_portrait[30:190, 140:310]),
    cv2.resize(_two_faces, (336, 182), interpolation=cv2.INTER_AREA),
    cv2.resize(skimage.data.coffee(), (150, 100), interpolation=cv2.INTER_AREA),
    np.ascontiguousarray(_portrait[60:200, 205:300]),
    np.zeros((16, 400, 3), np.uint8),
]
"""Of five sizes, with a face, two, none, one cut by the border, and none in a strip."""


@pytest.mark.promise("Equivalence: a response depends on the request alone, bit for bit")
@pytest.mark.promise("Load: concurrent requests get their own responses")
@pytest.mark.parametrize("runtime", ["engine", "reference"])
def test_eight_threads_on_one_engine_draw_what_one_draws(
    request: pytest.FixtureRequest, runtime: str
) -> None:
    engine = request.getfixturevalue(runtime)
    alone = [engine.cartoonize(picture) for picture in PICTURES]
    assert {cartoon.faces for cartoon in alone} == {0, 1, 2}
    order = np.random.default_rng(0).integers(0, len(PICTURES), RUNS).tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda i: engine.cartoonize(PICTURES[i]), order))
    for i, cartoon in zip(order, together, strict=True):
        assert cartoon.faces == alone[i].faces
        assert np.array_equal(cartoon.picture, alone[i].picture)
