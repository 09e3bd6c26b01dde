"""Options of a cartoon: strength, size and background."""

import pytest

from dctnet.cartoon_options import (
    MAX_SIZE,
    MIN_SIZE,
    parse_background,
    parse_size,
    parse_strength,
)


@pytest.mark.parametrize(
    ("text", "strength"),
    [("0", 0), ("1", 1), ("0.25", 0.25), ("1.0", 1), ("5e-1", 0.5), ("1E0", 1), ("1e-400", 0)],
)
def test_strength_is_a_json_number_from_0_to_1(text, strength):
    assert parse_strength(text) == strength


@pytest.mark.parametrize(
    "text",
    [
        *("-0.01", "1.01", "1.0000000000000002", "10e-1e", "1e400", "9" * 5000, "nan", "inf"),
        *("", " 1", "1\n", "+1", ".5", "1.", "0,5", "0_1", "0x1", "\u0661", "half"),
    ],
)
def test_other_strength_is_rejected(text):
    with pytest.raises(ValueError, match="from 0 to 1"):
        parse_strength(text)


@pytest.mark.parametrize("size", [MIN_SIZE, 1024, MAX_SIZE])
def test_size_is_a_whole_number_within_its_limits(size):
    assert parse_size(str(size)) == size


@pytest.mark.parametrize(
    "text",
    [
        *(str(MIN_SIZE - 1), str(MAX_SIZE + 1), "0", "-100", "9" * 5000, "nan", "inf"),
        *("", " 100", "100\n", "+100", "1e2", "100.0", "1_00", "\u0661\u0660\u0660"),
    ],
)
def test_other_size_is_rejected(text):
    with pytest.raises(ValueError, match=f"from {MIN_SIZE} to {MAX_SIZE}"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "background"),
    [
        ("white", (255, 255, 255)),
        ("keep", None),
        ("ff8800", (255, 136, 0)),
        ("#Ff8800", (255, 136, 0)),
        ("f80", (255, 136, 0)),
        ("#000", (0, 0, 0)),
    ],
)
def test_background_is_white_a_colour_or_keep(text, background):
    assert parse_background(text) == background


@pytest.mark.parametrize(
    "text",
    ["", "#", "ff", "ff88", "ff880", "ff88000", "gg8800", "##ff8800", "red", "Keep", "f80\n"],
)
def test_other_background_is_rejected(text):
    with pytest.raises(ValueError, match="3 or 6 hexadecimal digits of a colour"):
        parse_background(text)
