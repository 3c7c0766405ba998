import numpy as np

from cellfeat.heads import rows as heads_rows
from cellfeat.heads.rows import row_blocks


def test_blocks_cover_each_row_once() -> None:
    X = np.zeros((7, heads_rows.BLOCK_ELEMENTS // 2), np.float32)
    assert [row for rows in row_blocks(X) for row in range(7)[rows]] == list(range(7))
    assert max(len(range(7)[rows]) for rows in row_blocks(X)) == 2
