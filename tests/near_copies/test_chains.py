import pytest

from cellfeat.near_copies.chains import contradicted
from cellfeat.near_copies.overlap import Overlap

SHAPES = [(64, 64)] * 3


def overlap(rows, correlation, *, is_exact=False):
    return Overlap.at((rows, 0), ((64, 64), (64, 64)), correlation, is_exact=is_exact)


def test_the_weaker_overlap_is_contradicted_where_the_ends_have_nothing_in_common():
    asked = []

    def strength(pair, shift):
        asked.append((pair, shift))
        return 1.0

    chain = {(0, 1): overlap(10, 0.95), (1, 2): overlap(15, 0.9)}
    assert contradicted(chain, SHAPES, strength, 5) == {(1, 2)}
    assert asked == [((0, 2), (25, 0))]


@pytest.mark.parametrize(
    ("chain", "ends"),
    [
        ({(0, 1): overlap(10, 0.95), (1, 2): overlap(15, 0.9)}, 20.0),
        ({(0, 1): overlap(40, 0.95), (1, 2): overlap(30, 0.9)}, 0.0),
        ({(0, 1): overlap(10, 1, is_exact=True), (1, 2): overlap(15, 1, is_exact=True)}, 0.0),
        ({(0, 1): overlap(10, 0.95), (1, 2): overlap(15, 0.9), (0, 2): overlap(25, 0.9)}, 0.0),
        ({(0, 1): overlap(10, 0.95)}, 0.0),
    ],
    ids=["ends agree", "ends do not overlap", "equal pixels", "ends were found", "no chain"],
)
def test_consistent_chains_are_kept(chain, ends):
    assert contradicted(chain, SHAPES, lambda pair, shift: ends, 5) == set()
