import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.preprocessing.group_standards import GroupStandards


def plates(shift=(0.0, 5.0), scale=(1.0, 3.0), n=60, seed=0):
    rng = np.random.default_rng(seed)
    rows = [a + b * rng.normal(size=(n, 2, 4)) for a, b in zip(shift, scale, strict=True)]
    return np.concatenate(rows).astype(np.float32), np.repeat([f"P{i}" for i in range(len(shift))], n)


def test_shift_and_scale_of_a_plate_are_removed():
    cells, names = plates()
    standards = GroupStandards.fitted(cells, names, is_transductive=True)
    out = standards(cells, names)
    for name in ("P0", "P1"):
        np.testing.assert_allclose(np.median(out[names == name].reshape(-1, 4), axis=0), 0, atol=1e-6)
    moved = (cells * 2 + 3).astype(np.float32)
    np.testing.assert_allclose(standards.for_new(moved, names)(moved, names), out, atol=1e-5)


def test_only_transductive_standards_read_new_samples():
    cells, names = plates()
    fixed = GroupStandards.fitted(cells, names, is_transductive=False)
    assert fixed.for_new(cells + 9, names) is fixed
    assert set(fixed.groups) == {"P0", "P1"}


@pytest.mark.parametrize("name", ["", "unknown", "small"])
def test_samples_of_no_large_plate_get_the_pooled_medians(name):
    cells, names = plates()
    names = names.astype("U9")
    names[:19] = name
    standards = GroupStandards.fitted(cells, names, is_transductive=True)
    np.testing.assert_array_equal(standards(cells[:19], names[:19]), standards.pooled(cells[:19]))


def test_constant_and_missing_columns_give_zeros():
    cells, names = plates()
    cells[names == "P0", :, 1] = 4
    cells[names == "P1", :, 2] = np.nan
    out = GroupStandards.fitted(cells, names, is_transductive=True)(cells, names)
    assert np.isfinite(out).all()
    assert (out[names == "P0", :, 1] == 0).all()


@pytest.mark.parametrize("is_transductive", [True, False])
def test_saved_standards_are_the_same(is_transductive):
    cells, names = plates()
    standards = GroupStandards.fitted(cells, names, is_transductive=is_transductive)
    again = GroupStandards.restored(standards.arrays())
    assert again.is_transductive is is_transductive
    np.testing.assert_array_equal(again(cells, names), standards(cells, names))


def test_damaged_standards_are_refused():
    cells, names = plates()
    arrays = GroupStandards.fitted(cells, names, is_transductive=True).arrays()
    with pytest.raises(HeadError, match="medians"):
        GroupStandards.restored({**arrays, "median": arrays["median"][:1]})
