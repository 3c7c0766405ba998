from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.comparison.repeats import summarise
from cellfeat.evaluation.results.head_results import HeadFailure
from tests.feature_fixtures import SMALL


@pytest.fixture(scope="module")
def repeated(make_clusters):
    """Three heads on three sets of folds; shared, so leave it as it is."""
    features = make_clusters(separation=0.8)
    return [
        compare(features, ["dummy", "logreg", "knn"], design=replace(SMALL, random_state=seed)) for seed in range(3)
    ]


def without(comparison, *heads):
    """The comparison as it would be had these heads failed."""
    results = tuple(result for result in comparison.results if result.head not in heads)
    failures = tuple(HeadFailure(head, f"{head} broke") for head in heads)
    return replace(comparison, results=results, failures=(*comparison.failures, *failures))


def test_heads_are_ranked_by_their_mean(repeated):
    summary = summarise(repeated)
    assert (summary.folds, summary.seeds) == (3, (0, 1, 2))
    assert summary.scores[-1].head == "dummy"
    assert [score.mean for score in summary.scores] == sorted((score.mean for score in summary.scores), reverse=True)
    by_hand = [next(r for r in c.results if r.head == "logreg").balanced_accuracy for c in repeated]
    logreg = next(score for score in summary.scores if score.head == "logreg")
    assert (logreg.mean, logreg.spread) == (pytest.approx(np.mean(by_hand)), pytest.approx(np.std(by_hand, ddof=1)))
    assert len(summary.differences) == 3
    assert all(pair.is_evidence for pair in summary.differences if pair.worse == "dummy")


def test_head_that_failed_on_some_folds_is_excluded_with_their_seeds(repeated):
    summary = summarise([repeated[0], without(repeated[1], "knn"), without(repeated[2], "knn")])
    assert {score.head for score in summary.scores} == {"logreg", "dummy"}
    (failure,) = summary.failures
    assert (failure.head, failure.seeds, failure.reason) == ("knn", (1, 2), "knn broke")
    assert all(noun in failure.line() for noun in ("knn", "seed 1, 2", "knn broke"))


def test_error_where_every_head_failed_on_some_folds(repeated):
    broken = [without(repeated[0], "knn", "logreg"), repeated[1], without(repeated[2], "dummy")]
    with pytest.raises(HeadError, match=r"knn .* seed 0: .*logreg .* seed 0: .*dummy .* seed 2: "):
        summarise(broken)
