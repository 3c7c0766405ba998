"""For any table of samples: one clear error, or a manifest that says what the table says."""

import csv
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellfeat.config import MISSING_WORDS, ImagesSettings, LabelsSettings
from cellfeat.errors import CellfeatError
from cellfeat.samples.manifest.build import build_manifest, label_by_id

N_FILES = 6
WORDS = st.one_of(
    st.sampled_from(
        ["1", "01", "1.0", "2", "a", "A", " a", "a b", "\u00e9", "e\u0301", "nan", "NA", "0", "-1", "1e3", '"', "x;y"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4),
)
NUMBERS = st.sampled_from(["0", "1", "01", "2", "2.0", "003", "4.", "5", "7", "90", "one"])
LABELS = st.sampled_from(["", "HeLa", " HeLa", "RT4", "Caf\u00e9"])
ROWS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6)
SEPARATORS = st.sampled_from([",", ";", "\t"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images ``000.png``, ``001.png``, …, and a place for tables."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "images").mkdir()
    for i in range(N_FILES):
        (folder / "images" / f"{i:03d}.png").touch()
    return folder


def write_table(file: Path, rows: list[tuple[str, ...]], separator: str, encoding: str) -> None:
    with file.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerows([("file_id", "cell_line", "path"), *rows])


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(rows=ROWS, separator=SEPARATORS, encoding=st.sampled_from(["utf-8", "utf-8-sig"]))
def test_table_of_files_keeps_its_rows_or_is_refused(
    folder: Path, rows: list[tuple[str, str]], separator: str, encoding: str
) -> None:
    named = [(sample_id, label, f"{i:03d}.png") for i, (sample_id, label) in enumerate(rows)]
    write_table(folder / "t.csv", named, separator, encoding)
    images = ImagesSettings(root=folder / "images", channels=[0])
    try:
        table = build_manifest(images, LabelsSettings(file=folder / "t.csv", files="path")).table
    except CellfeatError:
        return
    stripped = [(sample_id.strip(), label.strip(), name) for sample_id, label, name in named]
    expected = [(sample_id, "" if label in MISSING_WORDS else label, name) for sample_id, label, name in stripped]
    assert list(zip(table["sample_id"], table["label"], table["file"], strict=True)) == expected
    assert table["sample_id"].is_unique


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(NUMBERS, LABELS), min_size=1, max_size=6, unique_by=lambda row: row[0]),
    separator=SEPARATORS,
    unmatched=st.sampled_from(["error", "ignore", "listed"]),
)
def test_numbers_match_their_files_and_omissions_are_reported(
    folder: Path, rows: list[tuple[str, str]], separator: str, unmatched: str
) -> None:
    write_table(folder / "p.csv", [(*row, "x") for row in rows], separator, "utf-8")
    images = ImagesSettings(root=folder / "images", pattern="{sample_id:03d}.png", channels=[0])
    try:
        manifest = build_manifest(images, LabelsSettings(file=folder / "p.csv", unmatched=unmatched))
    except CellfeatError:
        return
    asked = {str(int(float(sample_id))): label.strip() for sample_id, label in rows}
    assert len(asked) == len(rows)
    got = dict(zip(manifest.table["sample_id"], manifest.table["label"], strict=True))
    there = {sample_id: label for sample_id, label in asked.items() if int(sample_id) < N_FILES}
    assert list(got.items())[: len(there)] == list(there.items())
    assert set(got) - set(asked) == (set(map(str, range(N_FILES))) - set(asked) if unmatched == "ignore" else set())
    said = " ".join(manifest.remarks)
    assert ("have no image" in said) == (len(there) < len(asked))
    assert ("no row" in said) == (len(there) < N_FILES)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 100))
def test_replacing_labels_do_not_depend_on_the_order_of_rows(
    folder: Path, rows: list[tuple[str, str]], seed: int
) -> None:
    table = [(*row, "x") for row in rows]
    images, labels = ImagesSettings(root=folder / "images", channels=[0]), LabelsSettings()

    def joined(rows: list[tuple[str, ...]]) -> dict[str, str] | None:
        write_table(folder / "j.csv", rows, ",", "utf-8")
        try:
            return label_by_id(images, labels, folder / "j.csv")
        except CellfeatError:
            return None

    first = joined(table)
    assert first == joined(random.Random(seed).sample(table, len(table)))
    assert first is None or len(first) == len(table)
