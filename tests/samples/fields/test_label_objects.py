"""What a label image numbers: cells, and neither their background nor regions that were left out."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellfeat.errors import ImageError
from cellfeat.samples.fields.objects import find_objects


def numbered(n_cells: int = 4) -> np.ndarray:
    """Squares on an image of 64 x 64, numbered from 1, none of them at its borders."""
    labels = np.zeros((64, 64), np.uint16)
    for number in range(n_cells):
        row, column = divmod(number, 3)
        labels[8 + 18 * row : 18 + 18 * row, 8 + 18 * column : 18 + 18 * column] = number + 1
    return labels


def values_of(folder: Path, labels: np.ndarray) -> list[int]:
    tifffile.imwrite(folder / "labels.tif", labels)
    return find_objects(folder / "labels.tif", "labels.tif", 10**6).values.tolist()


def test_numbered_background_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"number 1 touches 4 borders .* surrounds the others.*labels == 1"):
        values_of(tmp_path, numbered() + 1)


def test_region_that_was_left_out_is_refused(tmp_path: Path) -> None:
    labels = numbered()
    labels[:5] = 65535
    with pytest.raises(ImageError, match=r"number 65535 touches 3 borders .* highest of uint16"):
        values_of(tmp_path, labels)


def test_cell_that_fills_its_crop_beside_parts_of_others_is_a_cell(tmp_path: Path) -> None:
    labels = np.ones((64, 64), np.uint16)
    labels[:6, :6], labels[-6:, :6], labels[:6, -6:], labels[-6:, -6:] = 2, 3, 4, 5
    labels[0, 30], labels[-1, 30], labels[30, 0], labels[30, -1] = 1, 1, 1, 1
    assert values_of(tmp_path, labels) == [1, 2, 3, 4, 5]


def test_large_object_at_two_borders_is_a_cell(tmp_path: Path) -> None:
    labels = numbered()
    labels[:7], labels[:, :7] = 9, 9
    labels[:7, 57:] = 0
    assert values_of(tmp_path, labels) == [1, 2, 3, 4, 9]


def test_cells_of_eight_bits_may_reach_255(tmp_path: Path) -> None:
    labels = numbered().astype(np.uint8)
    labels[labels == 4] = 255
    assert values_of(tmp_path, labels) == [1, 2, 3, 255]
