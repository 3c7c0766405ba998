from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.head_run import HeadRun
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.task.task import prepare
from cellfeat.evaluation.tuning import halving
from cellfeat.evaluation.tuning import tuner as tuner_module
from cellfeat.evaluation.tuning.tuner import Tuner
from tests.feature_fixtures import SMALL, with_samples

TUNED = replace(SMALL, tune=8)


@pytest.fixture
def features(planted_features):
    return planted_features


def tuner_of(task, **options):
    return Tuner(HeadRun(task, "planted", None), {}, **options)


@pytest.mark.slow
def test_best_settings_are_found_in_each_fold_and_scored_out_of_fold(features, planted):
    plain = compare(features, ["planted"], design=SMALL).best
    tuned = compare(features, ["planted"], design=TUNED).best
    assert [choice.settings for choice in tuned.scores.tuning.per_fold] == [{"skill": 2}] * 3
    assert plain.balanced_accuracy == pytest.approx(0.5)
    assert tuned.balanced_accuracy == 1
    assert tuned.settings["skill"] == 0, "the settings as given"
    assert tuned.seconds.tune > 0


def test_search_sees_no_sample_or_group_of_the_test_part(features, planted):
    task = prepare(features, TUNED)
    for fold in task.folds:
        planted.fits.clear()
        tuner_of(task).choose(fold.train)
        assert len(planted.fits) > 8
        for _, seen in planted.fits:
            assert not set(task.groups[seen]) & set(task.groups[fold.test])
            left = np.setdiff1d(fold.train, seen)
            assert not set(task.groups[seen]) & set(task.groups[left]), "an inner fold splits a group"


def test_early_rungs_take_whole_groups_and_every_class(features, planted, monkeypatch):
    monkeypatch.setattr(halving, "FEWEST_SAMPLES", 5)
    task = prepare(features, TUNED)
    tuner_of(task).choose(task.folds[0].train)
    sizes = sorted({len(seen) for _, seen in planted.fits})
    assert sizes[0] < sizes[-1] / 2
    for _, seen in planted.fits:
        groups = np.unique(task.groups[seen])
        assert np.isin(task.groups, groups).sum() == len(seen)
        assert set(task.y[seen]) == {"a", "b", "c"}


@pytest.mark.slow
def test_given_settings_stay_where_none_is_clearly_better(make_clusters):
    """Without signal the best candidate leads by chance; taking it would be the winner's curse."""
    features = make_clusters(n=240, separation=0.0)
    choices = compare(features, ["knn"], design=replace(SMALL, tune=9)).best.scores.tuning.per_fold
    kept = [choice for choice in choices if not choice.settings]
    assert kept
    assert all(choice.score == choice.given_score for choice in kept)
    assert all(choice.score >= choice.given_score for choice in choices)


def test_settings_from_the_user_are_not_searched(features, planted):
    result = compare(features, ["planted"], design=TUNED, settings={"planted": {"skill": 1}}).best
    assert {params["skill"] for params, _ in planted.fits} == {1}
    assert all(set(choice.settings) <= {"other"} for choice in result.scores.tuning.per_fold)


@pytest.mark.slow
def test_settings_that_cannot_be_fitted_are_recorded(features, planted):
    failures = compare(features, ["planted"], design=TUNED).best.scores.tuning.per_fold[0].failures
    assert len(failures) == 2
    assert "skill=3: ValueError: skill 3 cannot be fitted" in failures


def test_given_settings_that_fail_are_replaced(features, planted, monkeypatch):
    monkeypatch.setattr(planted.__init__, "__defaults__", (3, 0))
    task = prepare(features, TUNED)
    choice = tuner_of(task).choose(task.folds[0].train)
    assert choice.settings == {"skill": 2}
    assert choice.given_score is None


def test_head_fails_where_nothing_can_be_fitted(features, planted):
    with pytest.raises(HeadError, match="skill 3 cannot be fitted"):
        compare(features, ["planted"], design=TUNED, settings={"planted": {"skill": 3}})


def test_head_without_a_search_space_is_not_tuned(make_clusters):
    said = []
    comparison = compare(make_clusters(), ["dummy"], design=TUNED, hooks=Hooks(say=said.append))
    assert comparison.best.scores.tuning is None
    (line,) = said
    assert "dummy" in line


@pytest.mark.slow
def test_cost_is_said_before_the_first_fit_and_time_after_it(features, planted):
    said = []
    hooks = Hooks(say=lambda line: said.append((line, len(planted.fits))))
    compare(features, ["planted"], design=TUNED, hooks=hooks)
    (cost, n_before), (estimate, n_first) = said
    assert (n_before, n_first) == (0, 1)
    assert all(noun in cost for noun in ("planted", "8 settings", "3 folds", "72 fits"))
    assert all(noun in estimate for noun in ("planted", "8 settings", "3 folds", "1 s"))


@pytest.mark.slow
def test_cost_of_fit_includes_all_samples(features, planted):
    said = []
    fit(features, "planted", design=TUNED, hooks=Hooks(say=said.append))
    cost, estimate = said
    assert all(noun in cost for noun in ("3 folds", "all samples", "96 fits"))
    assert all(noun in estimate for noun in ("3 folds", "all samples", "1 s"))


@pytest.mark.slow
def test_estimate_is_proportional_to_the_samples_fitted(features, planted, monkeypatch):
    """At a second for the first fit, each other fit takes longer by its number of samples."""
    monkeypatch.setattr(planted, "search_space", {"skill": [0, 1, 2], "other": [0, 1, 2]})
    task = prepare(features, TUNED)
    said = []
    tuner = tuner_of(task, say=said.append, on_all=True)
    tuner._estimate_once(1.0)
    parts = [*(fold.train for fold in task.folds), np.arange(len(task.y))]
    for rows in parts:
        tuner.choose(rows)
    n_fitted = sum(len(seen) for _, seen in planted.fits) + sum(map(len, parts))
    seconds = n_fitted / len(planted.fits[0][1])
    (line,) = said
    assert line.endswith(f" {tuner_module._duration(seconds)}")


@pytest.mark.slow
def test_promised_number_of_fits_is_made(features, planted, monkeypatch):
    monkeypatch.setattr(planted, "search_space", {"skill": [0, 1, 2], "other": [0, 1, 2]})
    monkeypatch.setattr(halving, "FEWEST_SAMPLES", 5)
    said = []
    compare(features, ["planted"], design=replace(SMALL, tune=9), hooks=Hooks(say=said.append))
    assert f"{len(planted.fits) - 3} fits" in said[0]


def test_class_in_too_few_groups_is_refused_before_the_first_fit(features, planted):
    labels = dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))
    rare = [name for name, label in labels.items() if label == "c"][2:]
    few = {name: label for name, label in labels.items() if name not in rare}
    with pytest.raises(SplitError, match="2 or more groups"):
        compare(features, ["planted"], design=Design(folds=2, groups="none", tune=8), labels=few)
    assert not planted.fits


@pytest.mark.parametrize(("space", "noun"), [({"skil": [1, 2]}, "'skill'"), ({"skill": [1, len]}, "cannot be saved")])
def test_wrong_search_space_is_refused(features, planted, monkeypatch, space, noun):
    monkeypatch.setattr(planted, "search_space", space)
    with pytest.raises(HeadError, match=noun):
        compare(features, ["planted"], design=TUNED)


@pytest.mark.slow
def test_progress_grows_to_the_end(features, planted):
    events = []
    compare(features, ["planted"], design=TUNED, hooks=Hooks(progress=lambda *event: events.append(event[2:])))
    assert {total for _, total in events} == {3}
    shares = [share for share, _ in events]
    assert shares == sorted(shares)
    assert len(shares) > 20
    assert shares[-1] <= 3


@pytest.mark.slow
def test_ctrl_c_in_a_search_keeps_finished_heads(features, planted):
    def interrupt(head, fold, n_done, n_total):
        if head == "planted" and n_done > 3.5:
            raise KeyboardInterrupt

    hooks = Hooks(progress=interrupt)
    comparison = compare(features, ["knn", "planted"], design=replace(SMALL, tune=4), hooks=hooks)
    assert not comparison.is_complete
    assert [result.head for result in comparison.results] == ["knn"]


def without_seconds(result):
    return {name: value for name, value in result.record().items() if name != "seconds"}


@pytest.mark.slow
def test_same_seed_gives_the_same_choices(make_clusters):
    design = replace(SMALL, tune=5)
    first, second = (compare(make_clusters(separation=0.6), ["knn", "logreg"], design=design) for _ in range(2))
    pd.testing.assert_frame_equal(first.predictions(), second.predictions())
    assert [without_seconds(one) for one in first.results] == [without_seconds(one) for one in second.results]


@pytest.fixture
def searches(monkeypatch):
    """Counts the searches that are really made."""
    made = []
    choose = tuner_module.Search.choice
    monkeypatch.setattr(tuner_module.Search, "choice", lambda search: made.append(1) or choose(search))
    return made


@pytest.mark.slow
def test_choice_is_found_in_the_cache(make_clusters, cache, searches):
    design = replace(SMALL, tune=5)
    first = compare(make_clusters(), ["knn"], design=design, cache=cache).best
    assert len(searches) == 3
    second = compare(make_clusters(), ["knn"], design=design, cache=cache).best
    assert len(searches) == 3
    assert second.n_cached == 3
    assert second.record() == first.record()


CHANGES = {
    "more candidates": {"tune": 6},
    "the seed": {"random_state": 1},
    "a given setting": {"settings": {"knn": {"class_weight": None}}},
    "the groups": {"groups": "plate"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_other_question_is_searched_again(make_clusters, cache, searches, name):
    features = with_samples(make_clusters(), columns={"plate": np.char.mod("p%d", np.arange(180) // 6)})
    arguments = asdict(replace(SMALL, tune=5))
    compare(features, ["knn"], design=Design(**arguments), cache=cache)
    searches.clear()
    change = dict(CHANGES[name])
    settings = change.pop("settings", None)
    compare(features, ["knn"], design=Design(**arguments | change), settings=settings, cache=cache)
    assert len(searches) == 3


@pytest.mark.slow
def test_other_search_space_is_searched_again(make_clusters, cache, monkeypatch):
    design = replace(SMALL, tune=3)
    compare(make_clusters(), ["knn"], design=design, cache=cache)
    monkeypatch.setattr("cellfeat.heads.baselines.knn.KNNHead.search_space", {"n_neighbors": [2, 4]})
    changed = compare(make_clusters(), ["knn"], design=design, cache=cache).best
    for choice in changed.scores.tuning.per_fold:
        assert choice.settings in ({}, {"n_neighbors": 2}, {"n_neighbors": 4})
