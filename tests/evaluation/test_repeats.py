import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cellfeat.errors import HeadError
from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.differences import RepeatedDifference
from cellfeat.evaluation.repeats import summarise
from cellfeat.evaluation.results import HeadFailure
from cellfeat.reporting.files import write_repeats
from cellfeat.reporting.terminal.comparison import repeats_lines
from cellfeat.statistics.intervals import Difference
from cellfeat.statistics.significance import corrected_difference


def test_the_correction_is_that_of_nadeau_and_bengio():
    values = np.array([0.02, 0.05, -0.01, 0.03, 0.04, 0.01])
    found = corrected_difference(values, n_folds=3)
    t = values.mean() / np.sqrt((1 / 6 + 1 / 2) * values.var(ddof=1))
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 5))
    assert (found.low < 0) == (found.p_value > 0.05)
    assert found.p_value > stats.ttest_1samp(values, 0).pvalue


def test_heads_that_never_differ_have_no_evidence_and_no_division_by_zero():
    found = corrected_difference(np.zeros(6), n_folds=3)
    assert (found.estimate, found.low, found.high, found.p_value) == (0, 0, 0, 1)


@pytest.mark.parametrize(("p_value", "told"), [(1e-13, "p < 0.001"), (0.0012, "p = 0.0012"), (0.031, "p = 0.031")])
def test_tiny_p_values_are_not_told_apart(p_value, told):
    pair = RepeatedDifference("knn", "dummy", Difference(0.1, 0.05, 0.15, p_value), p_value)
    assert pair.verdict() == f"knn is better than dummy by 0.100 [0.050, 0.150], {told}"


def test_false_claims_are_rare_where_a_plain_test_makes_many():
    """Folds whose differences share what their overlapping training parts share: a correlation of 1/n_folds."""
    rng = np.random.default_rng(0)
    n_folds, n_values, n_data_sets = 5, 25, 400
    shared = rng.normal(size=(n_data_sets, 1)) * np.sqrt(1 / n_folds)
    values = shared + rng.normal(size=(n_data_sets, n_values)) * np.sqrt(1 - 1 / n_folds)
    corrected = np.mean([corrected_difference(row, n_folds).p_value < 0.05 for row in values])
    plain = np.mean([stats.ttest_1samp(row, 0).pvalue < 0.05 for row in values])
    assert corrected <= 0.08
    assert plain > 0.3


def test_repeats_rank_the_heads_and_are_written(make_clusters, tmp_path):
    features = make_clusters(separation=0.8)
    comparisons = [
        compare(features, ["dummy", "logreg", "knn"], design=Design(folds=3, draws=100, random_state=seed))
        for seed in range(3)
    ]
    summary = summarise(comparisons)
    assert summary.scores[-1].head == "dummy"
    assert [score.mean for score in summary.scores] == sorted((score.mean for score in summary.scores), reverse=True)
    by_hand = [next(r for r in c.results if r.head == "logreg").balanced_accuracy for c in comparisons]
    logreg = next(score for score in summary.scores if score.head == "logreg")
    assert (logreg.mean, logreg.spread) == (pytest.approx(np.mean(by_hand)), pytest.approx(np.std(by_hand, ddof=1)))
    against_floor = next(pair for pair in summary.differences if (pair.better, pair.worse) == ("logreg", "dummy"))
    assert against_floor.verdict().startswith("logreg is better than dummy by 0.")
    (path,) = write_repeats(summary, tmp_path)
    assert len(json.loads(path.read_text())["differences"]) == 3


@pytest.fixture
def repeated(make_clusters):
    """Two heads on three sets of folds."""
    features = make_clusters(separation=0.8)
    return [
        compare(features, ["knn", "dummy"], design=Design(folds=3, draws=100, random_state=seed)) for seed in range(3)
    ]


def without(comparison, head):
    """The comparison as it would be had the head failed."""
    results = tuple(result for result in comparison.results if result.head != head)
    return replace(comparison, results=results, failures=(*comparison.failures, HeadFailure(head, f"{head} broke")))


def test_a_head_that_fails_on_one_set_of_folds_is_left_out_by_name(repeated, tmp_path):
    summary = summarise([repeated[0], without(repeated[1], "knn"), without(repeated[2], "knn")])
    assert [score.head for score in summary.scores] == ["dummy"]
    *_, last = lines = repeats_lines(summary)
    assert lines[0] == "3 sets of 3 folds, balanced accuracy ± its standard deviation over the sets:"
    assert last == "knn is left out, it failed on the folds of seed 1, 2: knn broke"
    assert len(lines) == 3
    (path,) = write_repeats(summary, tmp_path)
    record = json.loads(path.read_text())
    assert record["failures"] == [{"head": "knn", "seeds": [1, 2], "reason": "knn broke"}]
    assert (record["folds"], record["seeds"]) == (3, [0, 1, 2])


def test_heads_that_each_fail_on_one_set_leave_nothing_to_repeat(repeated):
    with pytest.raises(HeadError, match=r"on every set of folds: knn is left out, .* seed 0: .*; dummy .* seed 2: "):
        summarise([without(repeated[0], "knn"), repeated[1], without(repeated[2], "dummy")])
