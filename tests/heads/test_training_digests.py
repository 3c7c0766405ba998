import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.training_digests import SeenSamples

DIGESTS = np.array(["00" * 32, "ab" * 32, "ff" * 32])


def test_pixels_are_known_again_by_their_digest() -> None:
    seen = SeenSamples.restored(SeenSamples.of(DIGESTS[:2]).arrays())
    assert len(seen) == 2
    assert seen.holds(DIGESTS[::-1]).tolist() == [False, True, True]


def test_a_sample_that_could_not_be_read_is_none_of_them() -> None:
    assert SeenSamples.of(DIGESTS).holds(np.array(["", DIGESTS[1]])).tolist() == [False, True]


def test_a_head_that_was_fitted_on_nothing_has_seen_nothing() -> None:
    assert SeenSamples.of(DIGESTS[:0]).holds(DIGESTS).tolist() == [False] * 3


@pytest.mark.parametrize(
    "arrays",
    [{}, {"pixel_digest": np.zeros((2, 31), np.uint8)}, {"pixel_digest": np.zeros((2, 32))}],
    ids=["absent", "too short", "no bytes"],
)
def test_arrays_that_are_no_digests_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(HeadError, match="pixel_digest"):
        SeenSamples.restored(arrays)
