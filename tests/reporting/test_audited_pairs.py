"""Pairs of an audit: those that need a decision first, with the part that both show."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from cellfeat.errors import MissingFileError
from cellfeat.extraction.store import Features, Properties, no_properties
from cellfeat.near_copies.placement import Placement
from cellfeat.reporting.audited_pairs import audited_pairs
from tests.feature_fixtures import build_clusters, with_samples


@pytest.fixture
def features() -> Features:
    records = no_properties(10)
    records["height"], records["width"] = 64, 80
    return with_samples(build_clusters(n=10), properties=Properties(records))


def write_audit(folder: Path, *rows: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "audit.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("sample", "finding", "partner", "detail", "overlap"), *rows])


def placed(dx: int, dy: int, quarters: int = 0) -> str:
    return str(Placement(dx, dy, quarters, mirrored=False, width=80, height=64))


def test_pairs_that_need_a_decision_come_first(features: Features, tmp_path: Path) -> None:
    rows = [
        ("s1", "copy", "s2"),
        ("s3", "constant channel", ""),
        ("s4", "near copy", "s5"),
        ("s6", "label conflict", "s7"),
    ]
    write_audit(tmp_path / "audit", *((*row, "", "") for row in rows))
    found = audited_pairs(tmp_path, features)
    assert [(one.first, one.second) for one in found] == [("s6", "s7"), ("s4", "s5"), ("s1", "s2")]


def test_shared_part_is_framed_on_both(features: Features, tmp_path: Path) -> None:
    write_audit(tmp_path, ("s1", "near copy", "s2", "", placed(20, -8)))
    (found,) = audited_pairs(tmp_path, features)
    assert found.boxes == ((0, 20, 56, 60), (8, 0, 56, 60))


@pytest.mark.parametrize("overlap", ["", "nonsense", placed(0, 0), placed(5, 5, quarters=1), placed(500, 0)])
def test_nothing_is_framed_where_the_place_is_unknown(features: Features, tmp_path: Path, overlap: str) -> None:
    write_audit(tmp_path, ("s1", "near copy", "s2", "", overlap))
    (found,) = audited_pairs(tmp_path, features)
    assert found.boxes == (None, None)
    without = replace(features, samples=replace(features.samples, properties=None))
    assert audited_pairs(tmp_path, without)[0].boxes == (None, None)


def test_folder_without_an_audit_is_named(features: Features, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="cellfeat audit"):
        audited_pairs(tmp_path, features)
