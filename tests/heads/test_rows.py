import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads import rows as heads_rows
from cellfeat.heads.rows import check_sums, row_blocks


def test_blocks_cover_each_row_once() -> None:
    X = np.zeros((7, heads_rows.BLOCK_ELEMENTS // 2), np.float32)
    assert [row for rows in row_blocks(X) for row in range(7)[rows]] == list(range(7))
    assert max(len(range(7)[rows]) for rows in row_blocks(X)) == 2


def test_probabilities_are_not_below_zero_and_add_up_to_one() -> None:
    check_sums(np.array([[0.25, 0.75], [np.float32(1) / 3, np.float32(2) / 3]]), "head")
    for strange in ([0.5, 0.6], [0.2, 0.2], [-0.2, 1.2]):
        with pytest.raises(HeadError, match=r"head: the probabilities of 1 of 2 samples"):
            check_sums(np.array([[0.25, 0.75], strange]), "head")
