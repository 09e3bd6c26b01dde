"""The pictures that converted networks are tried on."""

import numpy as np

from dctnet.preparing.pictures import PHOTOS, pictures


def test_there_are_more_than_fifty_and_each_time_the_same() -> None:
    first, second = pictures(), pictures()
    assert len(first) == 58
    for one, other in zip(first, second, strict=True):
        assert one.dtype == np.uint8
        assert one.shape[2:] == (3,)
        assert np.array_equal(one, other)


def test_no_two_are_alike() -> None:
    contents = {(picture.shape, picture.tobytes()) for picture in pictures()}
    assert len(contents) == 58


def test_every_photo_has_its_licence_stated() -> None:
    stated = (PHOTOS / "LICENSES.md").read_text()
    photos = [path.name for path in PHOTOS.iterdir() if path.suffix == ".jpg"]
    assert photos
    assert all(f"`{name}`" in stated for name in photos)
