"""Trial images for converted networks."""

import numpy as np

from dctnet.conversion.trial_images import PHOTOS, trial_images


def test_trial_images_are_distinct_and_reproducible():
    first, second = trial_images(), trial_images()
    assert len(first) == 58
    assert all(image.dtype == np.uint8 and image.shape[2:] == (3,) for image in first)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert len({(image.shape, image.tobytes()) for image in first}) == 58


def test_every_photo_has_a_licence():
    stated = (PHOTOS / "LICENSES.md").read_text()
    photos = [path.name for path in PHOTOS.iterdir() if path.suffix == ".jpg"]
    assert photos
    assert all(f"`{name}`" in stated for name in photos)
