import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import FingerprintError, ManifestError, MissingFileError, RecordError
from cellfeat.evaluation.comparison.across import across_design, across_plates
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.comparison.several_features import compare_features
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.page.build import page_of_results
from cellfeat.page.serving.viewing import newest_results
from cellfeat.reporting.files import write_further, write_head_report, write_held_out
from cellfeat.saved_results.results_folder import ResultsFolder
from tests.feature_fixtures import HOSTILE, build_clusters, with_samples
from tests.page.conftest import QUICK
from tests.page.page_reading import column, values

pytestmark = pytest.mark.usefixtures("own_folder")


def roles(content):
    return {one["name"]: one["role"] for one in content.page["columns"]}


def test_rows_are_those_of_the_feature_file(results, cells):
    content = page_of_results(results, cells)
    assert content.page["nSamples"] == len(cells)
    assert values(content, "sample_id") == cells.samples.ids.tolist()
    assert values(content, "label") == [label or None for label in cells.samples.labels.tolist()]


def test_predictions_are_those_of_the_table(results, cells, compared):
    content = page_of_results(results, cells)
    table = compared["logreg"].predictions.set_index("sample_id")
    predicted, confidence = values(content, "predicted by logreg"), values(content, "confidence of logreg")
    for row, name in enumerate(cells.samples.ids.tolist()):
        if row in (3, 7):  # without a label, and unreadable
            assert predicted[row] is None
            assert confidence[row] is None
        else:
            assert predicted[row] == table.loc[name, "predicted"]
            highest = table.loc[name, [f"probability_{one}" for one in "abc"]].max()
            assert confidence[row] == pytest.approx(highest, abs=1e-6)


def test_probabilities_are_in_the_order_of_the_classes(results, cells, compared):
    content = page_of_results(results, cells)
    shard = next(head["probabilities"] for head in content.page["heads"] if head["name"] == "logreg")
    found = np.frombuffer(content.shards[f"{shard}-0"](), "<u2").reshape(len(cells), 3) / 65535
    table = compared["logreg"].predictions.set_index("sample_id")
    expected = table.loc["s0", [f"probability_{name}" for name in content.page["classes"]]].to_numpy(float)
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert found[7].sum() == 0


def test_columns_have_their_types_and_roles(results, cells):
    content = page_of_results(results, cells)
    assert roles(content) | {"plate": "other"} == roles(content)
    assert {name: column(content, name)["kind"] for name in ("plate", "area", "well")} == {
        "plate": "category",
        "area": "number",
        "well": "category",  # with a zero in front it is a name
    }
    assert values(content, "area")[:2] == [None, pytest.approx(1 / 7, abs=1e-3)]
    assert values(content, "label (2)")[5] == "note 5"
    assert roles(content)["group"] == "group"
    assert set(values(content, "fold")) == {None, "1", "2", "3"}


def test_heads_have_the_numbers_of_the_record(results, cells, compared):
    best, other = page_of_results(results, cells).page["heads"]
    assert best["name"] == "logreg"
    assert best["score"] == compared["logreg"].balanced_accuracy
    assert (best["verdict"], best["behind"]) == ("best", "")
    assert other["verdict"] == "worse"
    assert other["behind"].startswith("behind by 0.")
    assert np.array_equal(best["confusion"], compared["logreg"].scores.per_class.confusion)
    assert [one["recall"] for one in best["perClass"]] == compared["logreg"].scores.per_class.recall.tolist()
    assert sum(one["n"] for one in best["reliability"]["after"]) == 118


def test_overview_says_what_the_terminal_says(results, cells, compared):
    from cellfeat.reporting.terminal.comparison import headline, verdict_lines

    overview = page_of_results(results, cells).page["overview"]
    assert overview["headline"] == headline(compared)
    assert overview["verdicts"] == verdict_lines(compared)
    assert any("audit" in line for line in overview["limits"])
    assert len(overview["questions"]) == 32
    assert any(one["answer"] is None for one in overview["questions"])


def facts(content):
    return {one["name"]: one["value"] for one in content.page["overview"]["data"]}


@pytest.mark.parametrize(("groups", "told"), [("plate", "10, the largest P0 with 9 samples"), ("auto", "none given")])
def test_groups_are_those_that_heads_were_given(tmp_path, written, groups, told):
    plate = np.array([f"P{row // 9}" for row in range(90)])
    plain = with_samples(build_clusters(n=90), groups=np.full(90, ""), columns={"plate": plate})
    comparison = compare(plain, ["dummy"], design=replace(QUICK, groups=groups))
    page = page_of_results(written(comparison, plain, tmp_path / groups), plain)
    assert facts(page)["groups"] == told
    assert any("No groups are known" in line for line in page.page["overview"]["limits"]) == (groups == "auto")


def test_unreadable_samples_are_listed(results, cells):
    audit = page_of_results(results, cells).page["audit"]
    assert audit["quarantined"] == [{"id": "s7", "reason": "truncated <b>PNG"}]


def test_page_is_json_without_nan(results, cells):
    json.dumps(page_of_results(results, cells).page, allow_nan=False)


def test_features_alone_have_a_page(cells):
    content = page_of_results(None, cells)
    assert content.page["kind"] == "features"
    assert content.page["heads"] == []
    assert content.page["classes"] == ["a", "b", "c"]
    assert "compare" in content.page["overview"]["headline"]
    assert content.page["overview"]["questions"] == []  # nothing was run that they could be asked about


def test_features_without_labels_have_a_page(cells):
    empty = with_samples(cells, labels=np.full(len(cells), ""), columns={}, groups=np.full(len(cells), ""))
    content = page_of_results(None, empty)
    assert content.page["classes"] == []
    assert set(values(content, "label")) == {None}


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_samples_have_a_page(cells, n):
    content = page_of_results(None, cells.take(np.arange(n)))
    assert content.page["nSamples"] == n
    assert len(values(content, "sample_id")) == n
    json.dumps(content.page, allow_nan=False)


def test_sixty_classes_have_a_page(tmp_path, written):
    features = build_clusters(n=600, classes=tuple(f"class {number}" for number in range(60)))
    folder = written(compare(features, ["dummy"], design=QUICK), features, tmp_path / "results")
    (head,) = page_of_results(folder, features).page["heads"]
    assert np.shape(head["confusion"]) == (60, 60)


def test_hostile_names_stay_as_they_are(tmp_path, written, hostile_cells):
    folder = written(compare(hostile_cells, ["dummy"], design=QUICK), hostile_cells, tmp_path / "results")
    content = page_of_results(folder, hostile_cells)
    assert sorted(content.page["classes"]) == sorted(HOSTILE)
    assert values(content, "label") == hostile_cells.samples.labels.tolist()


def test_head_has_a_page_of_its_own(cells, tmp_path):
    _, result = fit(cells, "logreg", design=QUICK)
    write_head_report(result, tmp_path / "head", figures=())
    ResultsFolder.of(tmp_path / "head", cells).record()
    page = page_of_results(tmp_path / "head", cells).page
    assert page["kind"] == "head"
    assert page["title"] == "logreg on test"
    assert [head["verdict"] for head in page["heads"]] == [""]


def test_held_out_classes_may_be_absent(bundle, held_out, tmp_path):
    some = held_out.take(held_out.samples.labels != "b")
    write_held_out(score_held_out(bundle, some), tmp_path, figures=())
    ResultsFolder.of(tmp_path, some).record()
    page = page_of_results(tmp_path, some).page
    assert page["kind"] == "held-out"
    assert sorted(page["classes"]) == ["a", "b", "c"]
    (head,) = page["heads"]
    counts = dict(zip(page["classes"], np.sum(head["confusion"], axis=1).tolist(), strict=True))
    assert counts["b"] == 0
    assert counts["a"] == 60
    assert [one["name"] for one in head["perClass"]] == ["a", "c"]
    assert any("out of fold" in line for line in page["overview"]["verdicts"])


# Damaged or foreign results


def test_missing_predictions_are_named_in_the_page(results, cells):
    (results / "predictions.parquet").unlink()
    content = page_of_results(results, cells)
    assert "predictions.parquet" in content.page["overview"]["limits"][0]
    assert [head["probabilities"] for head in content.page["heads"]] == [None, None]


def test_results_of_other_samples_are_refused(results):
    with pytest.raises(ManifestError, match="other samples"):
        page_of_results(results, build_clusters(n=50))


def test_results_of_other_samples_are_refused_without_predictions(results):
    (results / "predictions.parquet").unlink()
    with pytest.raises(ManifestError, match="other samples"):
        page_of_results(results, build_clusters(n=50))


def test_results_of_another_recipe_are_refused(results, cells):
    with pytest.raises(FingerprintError, match="recipe"):
        page_of_results(results, replace(cells, fingerprint="sha256:other"))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"heads": []}', b"\xff\xfe", b'{"heads": [{"head": "x"}]}'])
def test_damaged_record_is_refused(results, cells, content):
    (results / "comparison.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"comparison\.json"):
        page_of_results(results, cells)


def test_record_of_another_form_is_refused(results, cells):
    record = json.loads((results / "comparison.json").read_text())
    for head in record["heads"]:
        del head["confusion_matrix"]
    (results / "comparison.json").write_text(json.dumps(record))
    with pytest.raises(RecordError, match="confusion_matrix"):
        page_of_results(results, cells)


def test_damaged_predictions_are_refused(results, cells):
    (results / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(RecordError, match=r"predictions\.parquet"):
        page_of_results(results, cells)


def test_damaged_record_of_samples_is_refused(results, cells):
    (results / "samples.json").write_text("{}")
    with pytest.raises(RecordError, match=r"samples\.json"):
        page_of_results(results, cells)


def test_damaged_learning_curve_is_named_in_the_page(results, cells):
    (results / "learning_curve.json").write_text('{"curves": 3}')
    page = page_of_results(results, cells).page
    assert any("learning_curve.json" in line for line in page["overview"]["limits"])
    assert page["overview"]["curves"] == []


@pytest.mark.parametrize("folder", ["gone", "empty", "bundle"])
def test_folder_without_results_is_refused(tmp_path, cells, folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").touch()
    with pytest.raises(MissingFileError, match=folder):
        page_of_results(tmp_path / folder, cells)


def test_feature_file_that_has_moved_is_asked_for(results):
    with pytest.raises(MissingFileError, match="where the feature file is"):
        page_of_results(results)


def test_nothing_is_no_page():
    with pytest.raises(MissingFileError, match="feature file"):
        page_of_results(None)


def test_plates_left_out_and_standardising_are_told(cells, tmp_path, written):
    design = replace(QUICK, standardise="plate")
    comparison = compare(cells, ["dummy"], design=design)
    folder = written(comparison, cells, tmp_path / "standardised")
    across = across_plates(comparison, compare(cells, ["dummy"], design=across_design(design, "plate")), "plate")
    write_further(across, folder)
    overview = page_of_results(folder, cells).page["overview"]
    assert "each column standardised within each plate" in overview["headline"]
    assert next(iter(across.lines())) in overview["verdicts"]


@pytest.mark.slow
def test_comparison_of_feature_files_is_shown_with_its_differences(cells, results):
    other = replace(cells, embeddings=np.random.default_rng(0).normal(size=cells.embeddings.shape).astype(np.float32))
    found = compare_features({"cells": cells, "noise": other}, ["logreg"], design=QUICK)
    write_further(found, results)
    against = page_of_results(results, cells).page["overview"]["against"]
    assert [row["name"] for row in against["rows"]] == ["logreg on cells", "logreg on noise"]
    (pair,) = found.differences
    assert against["rows"][1]["verdict"] == "worse"
    assert pair.numbers() in against["rows"][1]["behind"]
    assert "logreg on cells is better than logreg on noise" in against["sentences"]
    assert "folds" in against["sentences"][0]


def test_comparison_of_feature_files_alone_is_shown_beside_the_samples(results, cells, tmp_path):
    other = replace(cells, embeddings=np.random.default_rng(0).normal(size=cells.embeddings.shape).astype(np.float32))
    write_further(compare_features({"cells": cells, "noise": other}, ["dummy"], design=QUICK), tmp_path / "alone")
    shutil.copy(results / "samples.json", tmp_path / "alone")
    page = page_of_results(tmp_path / "alone", cells).page
    assert [row["name"] for row in page["overview"]["against"]["rows"]] == ["dummy on cells", "dummy on noise"]
    assert page["heads"] == []
    assert "several feature files" in page["overview"]["headline"]
    assert newest_results(tmp_path) == tmp_path / "alone"


@pytest.mark.parametrize(
    ("file", "record", "what"),
    [
        ("against.json", '{"heads": [{}]}', "comparison of feature files"),
        ("across.json", '{"column": "plate", "heads": [{}]}', "scores across plates"),
        ("repeats.json", '{"scores": []}', "repeats"),
    ],
)
def test_damaged_record_beside_a_comparison_is_named(file, record, what, results, cells):
    (results / file).write_text(record)
    assert any(
        f"The {what} " in note and file in note for note in page_of_results(results, cells).page["overview"]["limits"]
    )
