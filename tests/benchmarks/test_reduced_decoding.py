"""Reduced decoding: cartoons hardly differ from those of the whole image."""

import pytest

from benchmarks import reduced_decoding
from benchmarks.reduced_decoding import MAX_MEAN_DIFFERENCE, PHOTOS, differences


@pytest.mark.parametrize("photo", ["astronaut", "grace_hopper"])
def test_cartoon_of_a_reduced_jpeg_differs_by_at_most_one_level(photo, monkeypatch):
    monkeypatch.setattr(reduced_decoding, "RATIOS", (5, 8))
    found = list(differences(PHOTOS / f"{photo}.jpg"))
    assert {difference.factor for difference in found} == {2, 4}
    assert any(difference.faces for difference in found)
    assert 0 < max(difference.mean for difference in found) <= MAX_MEAN_DIFFERENCE
