"""Columns of a table that are named as features and hold the label, the fold or the place of a row."""

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.importing import Imported, ImportOptions, import_table
from tests.interop.tables.measured import labels, numbers

N = 90
RNG = np.random.default_rng(0)


def imported(tmp_path, **columns: object) -> Imported:
    table = pd.DataFrame(numbers(N), columns=list("abcdef")).assign(label=labels(N)).assign(**columns)
    table.to_csv(tmp_path / "cells.csv", index=False)
    return import_table(tmp_path / "cells.csv")


def said(made: Imported) -> str:
    return "\n".join(made.remarks)


def features_of(made: Imported) -> list[str]:
    return made.features.provenance["imported"]["columns"]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.where(labels(N) == "DMSO", 0.0, RNG.choice([1.0, 10.0], N)), id="dose"),
        pytest.param(np.where(labels(N) == "DMSO", 0.9, 0.1) + RNG.uniform(-0.05, 0.05, N), id="prediction"),
        pytest.param((labels(N) == "DMSO").astype(int), id="column of one class"),
    ],
)
def test_column_that_tells_a_class_alone_is_warned_of(tmp_path, values):
    assert "told from all others by a single column: dose (DMSO)" in said(imported(tmp_path, dose=values))


def test_columns_of_measurements_and_of_few_samples_separate_no_class(tmp_path):
    rare = labels(N).astype(object)
    rare[:5] = "rare"
    high = np.where(rare == "rare", 9.0, RNG.normal(size=N))
    assert "told from all others" not in said(imported(tmp_path, label=rare, high=high))


def test_missing_numbers_and_labels_do_not_separate_a_class(tmp_path):
    known = np.where(labels(N) == "DMSO", np.nan, RNG.normal(size=N))
    made = imported(tmp_path, label=np.where(np.arange(N) % 7 == 0, "", labels(N)), a=known)
    assert "told from all others" not in said(made)


def test_labels_with_a_column_for_each_class_are_warned_of(tmp_path):
    flags = pd.get_dummies(pd.Series(labels(N))).astype(int)
    table = pd.concat([pd.DataFrame(numbers(N), columns=list("abcdef")), flags], axis=1)
    table.to_csv(tmp_path / "cells.csv", index=False)
    assert "DMSO, nocodazole, taxol are 0 and 1 with a single 1 in each row" in said(
        import_table(tmp_path / "cells.csv")
    )


def test_measurements_as_labels_are_no_feature(tmp_path):
    made = imported(tmp_path, label=RNG.normal(size=N))
    assert "label" not in features_of(made)
    assert "label has 90 different values in 90 rows: no classes" in said(made)


def test_number_of_the_fold_is_kept_beside_the_features(tmp_path):
    made = imported(tmp_path, fold=np.arange(N) % 5)
    assert "fold" not in features_of(made)
    assert sorted(set(made.features.samples.columns["fold"])) == list("01234")


def test_number_of_the_file_grows_with_the_rows(tmp_path):
    assert "file_no counts the rows or grows with them" in said(imported(tmp_path, file_no=np.arange(N) // 4))


def test_times_that_float32_rounds_to_a_few_steps_are_left_out(tmp_path):
    made = imported(tmp_path, seconds=1.7e9 + RNG.uniform(0, 300, N), whole=16_000_000 + RNG.integers(0, 9, N))
    assert "seconds" in made.features.provenance["imported"]["left_out"]["varies by less than float32 tells apart"]
    assert "whole" in features_of(made)


def test_two_spellings_of_a_class_are_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"(?s)column label.*15 samples.*15 samples"):
        imported(tmp_path, label=np.where(np.arange(N) % 6 == 0, "dmso", labels(N)))


def test_labels_of_a_second_table_are_checked_too(tmp_path):
    table = pd.DataFrame(numbers(N), columns=list("abcdef")).assign(id=[f"c{i}" for i in range(N)])
    table.to_csv(tmp_path / "cells.csv", index=False)
    given = pd.DataFrame({"id": table["id"], "label": np.where(np.arange(N) % 6 == 0, "dmso", labels(N))})
    given.to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(ManifestError, match="write it one way"):
        import_table(tmp_path / "cells.csv", ImportOptions(labels=tmp_path / "labels.csv"))


def test_first_sample_in_place_of_the_header_is_refused(tmp_path):
    pd.DataFrame(numbers(N)).assign(label=labels(N)).to_csv(tmp_path / "cells.csv", index=False, header=False)
    with pytest.raises(ManifestError, match=r"first line holds numbers.*add a line of names"):
        import_table(tmp_path / "cells.csv")


@pytest.mark.parametrize("names", [range(6), [400.5, 401.0, 401.5, 402.0, 402.5, 403.0]])
def test_numbers_that_rise_are_names_of_columns(tmp_path, names):
    pd.DataFrame(numbers(N), columns=names).assign(label=labels(N)).to_csv(tmp_path / "cells.csv", index=False)
    assert len(features_of(import_table(tmp_path / "cells.csv"))) == 6


def test_header_in_the_middle_of_the_table_is_named(tmp_path):
    text = pd.DataFrame(numbers(N), columns=list("abcdef")).assign(label=labels(N)).to_csv(index=False)
    (tmp_path / "cells.csv").write_text(text + text)
    with pytest.raises(ManifestError, match="header stands again in row 92"):
        import_table(tmp_path / "cells.csv")


def test_ids_that_lost_their_zeros_are_joined_beside_those_without(tmp_path):
    table = pd.DataFrame(numbers(120), columns=list("abcdef")).assign(id=np.arange(120))
    table.to_parquet(tmp_path / "cells.parquet")
    given = pd.DataFrame({"id": [f"{number:03d}" for number in range(120)], "label": labels(120)})
    given.to_csv(tmp_path / "labels.csv", index=False)
    made = import_table(tmp_path / "cells.parquet", ImportOptions(labels=tmp_path / "labels.csv"))
    assert made.features.samples.labels.tolist() == labels(120).tolist()
    assert "100 ids" in said(made)


def test_remarks_for_other_commands_name_no_options_of_import(tmp_path):
    columns = {"plate": np.arange(N) % 4, "treatment": RNG.normal(size=N)}
    pd.DataFrame(numbers(N)).add_prefix("f").assign(**columns).to_csv(tmp_path / "cells.csv", index=False)
    advised = import_table(tmp_path / "cells.csv")
    assert "--label COLUMN" in said(advised)
    assert "--group plate" in said(advised)
    plain = said(import_table(tmp_path / "cells.csv", ImportOptions(advice=False)))
    assert "labels: none\ngroups: none" in plain
    assert not any(option in plain for option in ("--label", "--group", "--keep", "--folds"))


@pytest.mark.parametrize("value", [-9999, 999.0, -1e30, 65535])
def test_number_in_place_of_a_missing_one_is_warned_of(tmp_path, value):
    b = np.where(np.arange(N) % 20 == 0, value, RNG.normal(size=N))
    assert f"{value:g} lies far from all other numbers of 1 column" in said(imported(tmp_path, b=b))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.clip(RNG.normal(50, 30, N).round(), 1, 99), id="clipped at 99"),
        pytest.param(np.linspace(0, 65535, N)[RNG.permutation(N)], id="all grey levels"),
        pytest.param(np.where(np.arange(N) == 4, 99.0, np.nan), id="a single number"),
    ],
)
def test_highest_number_of_a_range_stands_for_no_missing_one(tmp_path, values):
    assert "lies far from" not in said(imported(tmp_path, b=values))
