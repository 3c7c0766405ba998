"""Tables that mean something else than they are read as, and those that only look so."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.importing import ImportOptions, import_table

N = 20
NUMBERS = np.random.default_rng(0).normal(size=(N, 8)).round(4)
IDS = [f"c{i}" for i in range(N)]
MEASURES = ["Area", "Mean intensity", "Perimeter", "Eccentricity", "GLCM contrast"]


def save(folder: Path, **columns: object) -> Path:
    path = folder / "table.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def remarks(path: Path) -> str:
    return "\n".join(import_table(path).remarks)


@pytest.mark.parametrize("write", [lambda row: str(row.tolist()), str, lambda row: str(tuple(row.tolist()))])
def test_embedding_as_text_is_refused_with_a_line_that_takes_it_apart(write, tmp_path: Path) -> None:
    path = save(tmp_path, id=IDS, label=["A", "B"] * (N // 2), embedding=[write(row) for row in NUMBERS])
    with pytest.raises(ManifestError, match="column embedding holds a list of numbers in each cell") as refusal:
        import_table(path)

    table = pd.read_csv(path)
    turned = table.join(table.pop("embedding").str.strip("[]() ").str.split(r"[,\s]+", expand=True).add_prefix("e"))
    line = "table.join(table.pop('embedding').str.strip('[]() ').str.split(r'[,\\s]+', expand=True).add_prefix('e'))"
    assert str(refusal.value).endswith(line)
    turned.to_csv(path, index=False)
    np.testing.assert_allclose(import_table(path).features.embeddings[:, 0], NUMBERS, rtol=1e-6)


def test_embedding_as_text_beside_numbers_is_warned_of(tmp_path: Path) -> None:
    path = save(tmp_path, id=IDS, area=NUMBERS[:, 0], embedding=[str(row.tolist()) for row in NUMBERS])
    assert "warning: column embedding holds a list of numbers" in remarks(path)


def test_numbers_that_were_left_out_of_the_text_are_lost(tmp_path: Path) -> None:
    with np.printoptions(threshold=4):
        path = save(tmp_path, id=IDS, embedding=[str(row) for row in NUMBERS])
    with pytest.raises(ManifestError, match=r"that '\.\.\.' stands for are lost"):
        import_table(path)


@pytest.mark.parametrize("cell", ["[1]", "(a, b)", "[A1, B2]", "3, 4", "see [1, 2]"])
def test_other_text_is_no_embedding(cell: str, tmp_path: Path) -> None:
    assert "list of numbers" not in remarks(save(tmp_path, id=IDS, area=NUMBERS[:, 0], note=[cell] * N))


@pytest.mark.parametrize("names", [MEASURES, ["Cells_AreaShape_Area", "Cells_Texture_Contrast_DNA", "Math_Ratio_1"]])
def test_row_for_each_feature_is_warned_of(names: list[str], tmp_path: Path) -> None:
    path = save(tmp_path, feature=names, **{one: NUMBERS[: len(names), i] for i, one in enumerate("abcdefgh")})
    assert f"warning: column feature names measurements, such as {names[0]}" in remarks(path)


@pytest.mark.parametrize(
    "names",
    [
        [f"Area {i}" for i in range(N)],
        ["Area", "Perimeter", "Texture", *IDS[3:]],
        MEASURES * (N // len(MEASURES)),
        IDS,
    ],
    ids=["areas of a slide", "few", "a row for each feature of each sample", "cells"],
)
def test_row_for_each_sample_is_not(names: list[str], tmp_path: Path) -> None:
    path = save(tmp_path, name=names, **{one: NUMBERS[:, i] for i, one in enumerate("abcdefgh")})
    assert "names measurements" not in remarks(path)


GENES = ["TP53", "BRCA1", "MYC", "EGFR", "ACTB", "GAPDH", "CDK1", "KRAS"]


def expression(folder: Path, index_name: str) -> tuple[Path, Path]:
    """A table with a row for each gene and a column for each sample, and the labels of the samples."""
    table = pd.DataFrame(NUMBERS.T, index=pd.Index(GENES, name=index_name), columns=IDS)
    table.to_csv(folder / "expression.csv")
    pd.DataFrame({"sample": IDS, "label": ["A", "B"] * (N // 2)}).to_csv(folder / "labels.csv", index=False)
    return folder / "expression.csv", folder / "labels.csv"


@pytest.mark.parametrize("index_name", ["gene", ""])
@pytest.mark.parametrize("id_column", [None, "sample"])
def test_columns_that_are_the_samples_of_the_labels_table_are_named(index_name, id_column, tmp_path: Path) -> None:
    path, labels = expression(tmp_path, index_name)
    with pytest.raises(ManifestError, match=r"expression\.csv.*labels\.csv \(column sample\).*c0, c1") as refusal:
        import_table(path, ImportOptions(labels=labels, id=id_column))
    line = "table.set_index(table.columns[0]).T.to_csv('turned.csv', index_label='id')"
    assert str(refusal.value).endswith(line)
    table = pd.read_csv(path)
    table.set_index(table.columns[0]).T.to_csv(tmp_path / "turned.csv", index_label="id")
    made = import_table(tmp_path / "turned.csv", ImportOptions(labels=labels)).features
    assert made.samples.ids.tolist() == IDS
    np.testing.assert_allclose(made.embeddings[:, 0], NUMBERS, rtol=1e-6)


def test_labels_of_other_samples_are_not_taken_for_columns(tmp_path: Path) -> None:
    path, labels = expression(tmp_path, "gene")
    labels.write_text("sample,label\nx0,A\nx1,B\nc1,A\n")
    with pytest.raises(ManifestError, match="--id"):
        import_table(path, ImportOptions(labels=labels))


def test_unnamed_columns_are_no_ids_unless_they_come_first(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [
        f"{one},{label},{area},{mean}," for one, label, (area, mean) in zip(IDS, "AB" * 10, NUMBERS[:, :2], strict=True)
    ]
    for names in ("id,label,,mean,", ",label,area,mean,"):
        table.write_text("\n".join([names, *rows]))
        imported = import_table(table)
        assert list(imported.features.samples.ids) == IDS
        assert any("without a name (number 3)" in line for line in imported.remarks) == ("area" not in names)


def test_rows_without_a_cell_are_no_samples(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [f"{one},{label},{area}" for one, label, area in zip(IDS, "AB" * 10, NUMBERS[:, 0], strict=True)]
    table.write_text("\n".join(["id,label,area", *rows[:5], ",,", *rows[5:], ", ,", ",,"]))
    assert list(import_table(table).features.samples.ids) == IDS


def test_cells_that_are_no_numbers_are_named_where_no_feature_is_left(tmp_path: Path) -> None:
    path = save(tmp_path, id=IDS, label=["A", "B"] * (N // 2), area=["?", *NUMBERS[1:, 0]])
    with pytest.raises(ManifestError, match=r"column area .* 1 cell .*'\?' in row 2"):
        import_table(path)
