"""A slot is warm when it has drawn the known picture rightly, and the largest one at all."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dctnet.engine import Cartoon
from dctnet.lifecycle.warm_up import (
    KNOWN_ANSWER,
    KNOWN_SIDE,
    MAX_MEAN_DIFFERENCE,
    WrongAnswer,
    check_answer,
    picture,
    warm_up,
)
from dctnet.runtimes import Pixels


class Negative:
    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def cartoonize(self, picture: Pixels, /) -> Cartoon:
        self.sizes.append(picture.shape)
        return Cartoon(255 - picture, 0, {})


def write_answer(folder: Path, answer: Pixels) -> None:
    Image.fromarray(answer).save(folder / KNOWN_ANSWER)


def test_a_slot_draws_the_known_picture_and_the_largest(tmp_path: Path) -> None:
    engine, measured = Negative(), []
    write_answer(tmp_path, 255 - picture(KNOWN_SIDE, KNOWN_SIDE))
    compared = warm_up(engine, tmp_path, 1280, lambda *pair: measured.append(pair))
    assert compared == "known answer"
    assert engine.sizes == [(KNOWN_SIDE, KNOWN_SIDE, 3), (720, 1280, 3)]
    ((pixels, seconds),) = measured
    assert pixels == 720 * 1280
    assert seconds > 0


def test_the_largest_picture_is_no_larger_than_the_setting_allows(tmp_path: Path) -> None:
    engine = Negative()
    warm_up(engine, tmp_path, 400, lambda *_: None)
    assert engine.sizes[-1] == (400, 400, 3)


def test_an_answer_may_differ_by_rounding_and_not_by_more(tmp_path: Path) -> None:
    known = np.full((8, 8, 3), 100, np.uint8)
    write_answer(tmp_path, known)
    assert check_answer(known + 1, tmp_path) == "known answer"
    assert MAX_MEAN_DIFFERENCE == 1
    with pytest.raises(WrongAnswer, match="does not draw its known answer"):
        check_answer(known + 2, tmp_path)
    with pytest.raises(WrongAnswer):
        check_answer(known[:-1], tmp_path)


def test_without_a_known_answer_it_must_be_a_picture_of_something(tmp_path: Path) -> None:
    assert check_answer(picture(8, 8), tmp_path) == "no known answer"
    with pytest.raises(WrongAnswer, match="nothing but one colour"):
        check_answer(np.zeros((8, 8, 3), np.uint8), tmp_path)


def test_the_known_picture_is_the_same_everywhere() -> None:
    drawn = picture(KNOWN_SIDE, KNOWN_SIDE)
    assert drawn.shape == (KNOWN_SIDE, KNOWN_SIDE, 3)
    assert drawn.dtype == np.uint8
    assert drawn[0, 0].tolist() == [60, 90, 170]
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 1000
