"""Results read back are those that were written, and draw the same figures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cellfeat
from cellfeat.errors import MissingFileError, RecordError
from cellfeat.evaluation.learning_curves.curves import LearningCurve, LearningCurves
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.figures import save_figure
from cellfeat.reporting.files import write_curves, write_head_report, write_report
from cellfeat.saved_results.reading import read_results
from cellfeat.statistics.interval_types import Difference


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison with learning curves; shared, so leave it as it is."""
    path = tmp_path_factory.mktemp("results")
    write_report(comparison, path)
    curves = [
        LearningCurve(one.head, (0.5, 1.0), (60, 120), (one, one), Difference(0.0, -0.01, 0.01, 1.0))
        for one in comparison.results
    ]
    write_curves(LearningCurves(comparison.provenance, tuple(curves)), path)
    return path


@pytest.mark.slow
def test_scores_and_differences_are_those_written(comparison: Comparison, folder: Path) -> None:
    found = cellfeat.read_results(folder)
    assert found.is_comparison
    assert found.differences == comparison.differences
    for read, written in zip(found, comparison, strict=True):
        assert read.head == written.head
        assert read.scores.overall == written.scores.overall
        assert read.scores.calibration.abstaining == written.scores.calibration.abstaining
        np.testing.assert_array_equal(read.scores.per_class.confusion, written.scores.per_class.confusion)
    pd.testing.assert_frame_equal(found.table(), comparison.table())
    pd.testing.assert_frame_equal(found.per_class_table(), comparison.per_class_table())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heads", "confusion", "recalls", "reliability"])
def test_figures_are_those_of_the_comparison(comparison: Comparison, folder: Path, tmp_path: Path, name: str) -> None:
    for number, results in enumerate((comparison, cellfeat.read_results(folder))):
        save_figure(getattr(results, f"plot_{name}")(width="one"), tmp_path / f"{number}.svg", "svg")
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()


def test_learning_curves_are_drawn(folder: Path) -> None:
    found = read_results(folder)
    assert [curve.n_train for curve in found.curves] == [(60, 120)] * 3
    assert found.plot_curves().axes


@pytest.mark.slow
def test_damaged_learning_curves_cost_no_scores(comparison: Comparison, tmp_path: Path) -> None:
    write_report(comparison, tmp_path)
    (tmp_path / "learning_curve.json").write_text("{")
    found = read_results(tmp_path)
    assert found.plot_heads().axes
    with pytest.raises(RecordError, match=r"learning_curve\.json"):
        found.plot_curves()


def test_folder_of_a_saved_head_has_one_result(comparison: Comparison, tmp_path: Path) -> None:
    write_head_report(comparison.best, tmp_path)
    found = read_results(tmp_path)
    assert not found.is_comparison
    assert [one.head for one in found] == [comparison.best.head]
    with pytest.raises(MissingFileError, match="--fractions"):
        found.plot_curves()


def test_missing_folder_file_and_address_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, words in [
        (tmp_path / "gone", "does not exist"),
        (tmp_path, "holds no results"),
        (tmp_path / "file", "is not a folder"),
        (Path("s3:/lab/results"), "addresses"),
    ]:
        with pytest.raises(MissingFileError, match=words):
            read_results(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: record["heads"][0].pop("confusion_matrix"), r"heads\[0\]: confusion_matrix"),
        (lambda record: record["heads"][1].update(ci_low="high"), r"heads\[1\]: ci_low"),
        (lambda record: record["heads"][0]["per_class_recall"].pop(), "expected 3 entries, got 2"),
        (lambda record: record.update(heads=[]), "at least one head"),
        (lambda record: record.update(heads="all"), "expected a list"),
        (lambda record: record["differences"][0].update(worse="svm"), "'svm'"),
    ],
)
def test_damaged_record_is_named(comparison: Comparison, tmp_path: Path, change, words: str) -> None:
    path = tmp_path / "comparison.json"
    record = json.loads(json.dumps(comparison.record()))
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(RecordError, match=words) as caught:
        read_results(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"{", b"[" * 100_000])
def test_broken_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "comparison.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"comparison\.json"):
        read_results(tmp_path)
