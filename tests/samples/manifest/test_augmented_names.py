"""Samples that are called like augmented copies of others."""

from pathlib import Path

import pandas as pd
import pytest

from cellfeat.samples.manifest.augmented_names import augmented_remarks
from cellfeat.samples.manifest.manifest import Manifest


def remarks(names: list[str], groups: list[str] | None = None) -> str:
    table = pd.DataFrame({"sample_id": names, "label": "a", "group": groups or ""}, dtype=str)
    return "\n".join(augmented_remarks(Manifest(table, Path(), (0,))))


@pytest.mark.parametrize(
    "copy",
    [
        *("c1_flip", "c1_hflip", "c1_flip_lr", "c1_flipped", "c1-rot90", "c1_rot_180", "c1_rotated", "c1_rotated_90"),
        *("c1.mirrored", "c1_transposed", "c1_aug", "c1_aug_3", "c1_augmented", "c1_rot90_flip"),
    ],
)
def test_changed_copies_of_a_sample_are_warned_of(copy: str) -> None:
    assert f"1 sample is called like changed copies of others: {copy} of c1;" in remarks(["c1", "c2", copy])


def test_versions_of_one_image_are_warned_of() -> None:
    first, second, other = (f"{name}_jpg.rf.{digit * 32}" for name, digit in (("a", "0"), ("a", "f"), ("b", "1")))
    assert "1 sample is called like changed copies of others: a_jpg.rf.ffff" in remarks([first, second, other])
    assert not remarks([first, other])


@pytest.mark.parametrize(
    "names",
    [
        ["c1", "c2_flip"],
        ["cell", "cell_rot", "cell_gruen"],
        ["exp_aug_1", "exp_aug_2", "exp_sep_1"],
        ["protein", "protein_carrot90"],
        ["c1", "c1_2", "c1_crop"],
    ],
)
def test_other_names_are_not_warned_of(names: list[str]) -> None:
    assert not remarks(names)


def test_copies_in_the_group_of_their_original_are_not_warned_of() -> None:
    assert not remarks(["c1", "c1_flip"], ["d1", "d1"])
    assert remarks(["c1", "c1_flip"], ["d1", "d2"])
    assert remarks(["c1", "c1_flip"], ["", ""])
