import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.saved.training_digests import TrainingDigests

DIGESTS = np.array(["00" * 32, "ab" * 32, "ff" * 32])


def test_samples_are_recognised_by_their_digests() -> None:
    digests = TrainingDigests.restored(TrainingDigests.of(DIGESTS[:2]).arrays())
    assert len(digests) == 2
    assert digests.contains(DIGESTS[::-1]).tolist() == [False, True, True]


def test_unreadable_sample_is_not_contained() -> None:
    assert TrainingDigests.of(DIGESTS).contains(np.array(["", DIGESTS[1]])).tolist() == [False, True]


def test_no_digests_contain_nothing() -> None:
    assert TrainingDigests.of(DIGESTS[:0]).contains(DIGESTS).tolist() == [False] * 3


@pytest.mark.parametrize(
    "arrays",
    [{}, {"pixel_digest": np.zeros((2, 31), np.uint8)}, {"pixel_digest": np.zeros((2, 32))}],
    ids=["absent", "too short", "no bytes"],
)
def test_arrays_that_are_not_digests_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(HeadError, match="pixel_digest"):
        TrainingDigests.restored(arrays)
