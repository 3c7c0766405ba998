import pytest

import cellfeat
from cellfeat.config import Settings
from cellfeat.errors import ManifestError
from cellfeat.evaluation.relabelling.changes import Relabelling, read_relabelling
from cellfeat.evaluation.relabelling.new_labels import read_new_labels
from tests.feature_fixtures import build_features

HEADER = "sample_id,label,label_before,head,predicted,confidence,seen,changed_at"


@pytest.fixture
def features():
    import numpy as np

    label = np.array(["HeLa", "A549", "HeLa", "A549", "", "=1+1"])
    return build_features(label, np.zeros((6, 1, 2)))


def written(tmp_path, *rows, header=HEADER):
    path = tmp_path / "fixed.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def test_table_of_the_page_changes_labels_and_keeps_the_others(features, tmp_path):
    table = written(
        tmp_path,
        "s0,A549,HeLa,mlp,A549,0.99,prediction,2026-11-28T12:00:00Z",
        "s1,A549,A549,mlp,A549,0.9,blind,2026-11-28T12:00:00Z",
        "s2,A549,HeLa,mlp,A549,0.9,blind,2026-11-28T12:00:00Z",
        "s4,HeLa,,mlp,HeLa,0.9,blind,2026-11-28T12:00:00Z",
    )
    found = read_relabelling(features, table)
    assert dict(found) == {"s0": "A549", "s1": "A549", "s2": "A549", "s3": "A549", "s4": "HeLa", "s5": "=1+1"}
    assert found.changed_after_seeing == {"s0"}
    judged = found.judged
    assert (judged.n_changed_seen, judged.n_changed_blind, judged.n_kept_blind) == (1, 2, 1)
    assert (judged.n_blind_disagreed, judged.n_changed_where_disagreed) == (2, 2)
    assert "fixed.csv" in judged.sentences()[0]


def test_order_of_columns_and_further_columns_do_not_matter(features, tmp_path):
    table = written(tmp_path, "blind;me;HeLa;s0;A549", header="seen;who;label_before;sample_id;label")
    found = read_relabelling(features, table)
    assert found["s0"] == "A549"
    assert found.judged.n_blind_disagreed is None


def test_rounds_follow_each_other_in_one_table(features, tmp_path):
    rows = [
        "s0,A549,HeLa,,,,prediction,",
        "s0,RT4,A549,,,,blind,",
        "s1,HeLa,A549,,,,prediction,",
        "s1,A549,HeLa,,,,blind,",
    ]
    found = read_relabelling(features, written(tmp_path, *rows))
    assert (found["s0"], found["s1"]) == ("RT4", "A549")
    assert found.changed_after_seeing == {"s0"}


def test_ids_and_labels_survive_a_spreadsheet(features, tmp_path):
    found = read_relabelling(features, written(tmp_path, "s5.png,'+a,'=1+1,,,,Blind ,"))
    assert found["s5"] == "+a"


def test_removed_label_leaves_the_sample_without_one(features, tmp_path):
    found = read_relabelling(features, written(tmp_path, "s0,,HeLa,,,,prediction,"))
    assert found["s0"] == ""
    assert features.with_labels(found).samples.labels.tolist()[:2] == ["", "A549"]


def test_command_line_labels_recognise_a_table_of_changes(features, tmp_path):
    changes = read_new_labels(features, Settings(), written(tmp_path, "s0,A549,HeLa,,,,blind,"))
    assert isinstance(changes, Relabelling)
    plain = read_new_labels(features, Settings(), written(tmp_path, "s0,A549", header="file_id,cell_line"))
    assert plain == {"s0": "A549"}


@pytest.mark.parametrize(
    ("row", "nouns"),
    [
        ("nobody,A549,HeLa,,,,blind,", ("fixed.csv", "nobody", "line 2", "features/test.h5")),
        ("s0,A549,RT4,,,,blind,", ("fixed.csv", "line 2", "s0", "RT4", "HeLa", "label_before")),
        ("s0,A549,HeLa,,,,perhaps,", ("fixed.csv", "line 2", "perhaps", "blind")),
        ("s0,A549,HeLa,,,,,", ("line 2", "seen")),
        ("s0,A549,HeLa,,,,blind,\ns0,RT4,HeLa,,,,blind,", ("line 3", "A549")),
    ],
)
def test_bad_row_is_refused_with_its_place(features, tmp_path, row, nouns):
    with pytest.raises(ManifestError) as error:
        read_relabelling(features, written(tmp_path, row))
    assert all(noun in str(error.value) for noun in nouns)


def test_table_without_ids_names_the_missing_column(features, tmp_path):
    table = written(tmp_path, "a,b,blind", header="label,label_before,seen")
    with pytest.raises(ManifestError, match="sample_id"):
        read_relabelling(features, table)


def test_rows_of_other_samples_are_left_out_where_asked(features, tmp_path):
    said = []
    table = written(tmp_path, "nobody,A549,HeLa,,,,blind,", "s0,A549,HeLa,,,,blind,")
    found = read_relabelling(features, table, ignores_unknown=True, say=said.append)
    assert found["s0"] == "A549"
    assert any("nobody" in line for line in said)


def test_read_relabelling_is_public():
    assert cellfeat.read_relabelling is read_relabelling
