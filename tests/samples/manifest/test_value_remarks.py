"""Labels and groups that may be used as they are, but probably are not meant so."""

from pathlib import Path

import pandas as pd
import pytest

from cellfeat.samples.labels.spellings import alike_values
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.manifest.value_remarks import value_remarks


def remarks(labels: list[str], groups: list[str] | None = None) -> str:
    table = pd.DataFrame({"sample_id": map(str, range(len(labels))), "label": labels, "group": groups or ""}, dtype=str)
    return "\n".join(value_remarks(Manifest(table, Path(), (0,))))


@pytest.mark.parametrize("labels", [["0", "3", "0|3"], ["a;b", "b;c", "a", "b", "c"], ["er, golgi", "er", "golgi"]])
def test_several_labels_of_a_sample_are_warned_of(labels: list[str]) -> None:
    assert "several labels" in remarks(labels)


@pytest.mark.parametrize(
    "labels", [["live, stained", "dead"], ["U-2 OS", "U-251 MG"], ["T cell", "B cell"], ["NK cell", "T cell", "cell"]]
)
def test_names_of_several_words_are_classes(labels: list[str]) -> None:
    assert not remarks(labels)


def test_dates_that_a_spreadsheet_made_are_warned_of() -> None:
    told = remarks(["MARCH1", "1-Mar", "2. Sep", "May"])
    assert "look like dates" in told
    assert "1-Mar, 2. Sep;" in told


@pytest.mark.parametrize("groups", [["3", "3.0"], ["P1/03", "P1/3"], ["d1", "D1"]])
def test_groups_of_two_spellings_are_warned_of(groups: list[str]) -> None:
    assert repr(groups[0]) in remarks(["a", "b"], groups)


def test_different_groups_are_not() -> None:
    assert not remarks(["a", "b"], ["P1/A01", "P1/A10"])


def test_leading_zeros_are_a_spelling() -> None:
    assert alike_values(["001", "1", "10", "100"]) == [["001", "1"]]
    assert alike_values(["-1", "1", "1.5", "01.50"]) == []


@pytest.mark.parametrize("copy", ["treated - Copy", "treated copy 2", "treated (2)", "treated - Kopie", "treated copy"])
def test_classes_called_like_copies_are_warned_of(copy: str) -> None:
    told = remarks(["treated", copy, "control"])
    assert f"{copy!r} of 'treated'" in told
    assert "several labels" not in told


def test_numbered_classes_without_an_original_are_no_copies() -> None:
    assert not remarks(["dose (1)", "dose (2)"])
