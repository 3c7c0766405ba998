import math
import sys
import types

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fit import fit
from cellfeat.evaluation.head_run import HeadRun
from cellfeat.evaluation.hooks import Hooks
from cellfeat.evaluation.scoring.score import evaluate
from cellfeat.evaluation.task import prepare
from cellfeat.evaluation.tuning import tuner as tuning
from cellfeat.evaluation.tuning.halving import candidates, rungs
from cellfeat.evaluation.tuning.tuner import Tuner
from cellfeat.heads.bundle_files import load_bundle, save_bundle
from cellfeat.heads.registry import HEADS, Head
from cellfeat.reporting.terminal.head import describe_choices, tuning_lines
from tests.feature_fixtures import with_samples

FEW_DRAWS = {"folds": 3, "draws": 200}


class Planted(ClassifierMixin, BaseEstimator):
    """A head whose setting decides how often it is right: with `skill` it reads the label in the first column."""

    search_space = {"skill": [0, 1, 2, 3], "other": [0, 1]}  # noqa: RUF012, as a plug-in would write it
    fits: list[tuple[dict, np.ndarray]]

    def __init__(self, skill=0, other=0):
        self.skill, self.other = skill, other

    def fit(self, X, y):
        if self.skill == 3:
            raise ValueError("no skill of 3 with me")
        self.classes_, self.n_features_in_ = np.unique(y), X.shape[1]
        self.fits.append((self.get_params(), X[:, 1].astype(int)))
        return self

    def predict_proba(self, X):
        code = X[:, 0].astype(int)
        is_right = X[:, 1].astype(int) % 4 < self.skill + 2
        return np.eye(len(self.classes_))[np.where(is_right, code, (code + 1) % len(self.classes_))]


@pytest.fixture
def planted(monkeypatch):
    """Put the planted head into the table, and give the list of its fits."""
    module = types.ModuleType("planted_head")
    module.PlantedHead = type("PlantedHead", (Planted,), {"fits": []})
    monkeypatch.setitem(sys.modules, "planted_head", module)
    monkeypatch.setitem(HEADS._entries, "planted", Head("planted", "planted_head:PlantedHead", "mean", "for tests"))
    return module.PlantedHead


@pytest.fixture
def features(make_features):
    """Samples whose first column is their label and whose second is their row; pairs of rows form groups."""
    n = 120
    codes = np.arange(n) // 2 % 3
    embeddings = np.stack([codes, np.arange(n)], axis=1)[:, np.newaxis]
    return make_features(np.array(["a", "b", "c"])[codes], embeddings, group=np.char.mod("g%d", np.arange(n) // 2))


def test_candidates_begin_with_the_settings_as_given_and_never_repeat():
    space = {"a": [1, 2, 3], "b": [0.1, 0.2], "c": [None, "x"]}
    drawn = candidates(space, {"a": 2, "b": 0.1, "c": None, "fixed": 7}, 8, random_state=0)
    assert len(drawn) == 8
    assert drawn[0] == {}
    assert len({str(settings) for settings in drawn}) == 8
    assert all(settings.get("a") != 2 and settings.get("c", 0) is not None for settings in drawn)
    assert drawn == candidates(space, {"a": 2, "b": 0.1, "c": None}, 8, random_state=0)
    assert drawn != candidates(space, {"a": 2, "b": 0.1, "c": None}, 8, random_state=1)


def test_a_small_space_gives_all_it_has():
    assert candidates({"a": [1, 2, 3]}, {"a": 5}, 100, 0) == [{}, {"a": 1}, {"a": 2}, {"a": 3}]
    assert candidates({}, {"a": 5}, 100, 0) == [{}]


@pytest.mark.parametrize("n_candidates", [1, 2, 3, 4, 9, 26, 27, 100])
@pytest.mark.parametrize("n_train", [50, 999, 3000, 10_000, 1_000_000])
def test_each_rung_has_more_samples_and_fewer_candidates_and_the_last_has_all_samples(n_candidates, n_train):
    plan = rungs(n_candidates, n_train)
    assert plan[0].n_candidates == n_candidates
    assert plan[-1].fraction == 1
    fractions = [rung.fraction for rung in plan]
    assert fractions == sorted(set(fractions))
    assert all(rung.fraction * n_train >= tuning.FEWEST_SAMPLES for rung in plan[:-1])
    budgets = [rung.fraction * rung.n_candidates for rung in plan]
    assert max(budgets) <= budgets[0] + 1 or len(plan) == 1
    assert plan[-1].n_candidates >= min(n_candidates, tuning.FINALISTS)


def test_few_samples_are_never_thinned():
    assert [rung.fraction for rung in rungs(27, 900)] == [1.0]


def test_the_best_settings_are_found_in_each_fold_and_score_out_of_fold(features, planted):
    plain = compare(features, ["planted"], design=Design(**FEW_DRAWS)).best
    tuned = compare(features, ["planted"], design=Design(tune=8, **FEW_DRAWS)).best
    assert [choice["settings"] for choice in tuned.record()["tuning"]["per_fold"]] == [{"skill": 2}] * 3
    assert plain.balanced_accuracy == pytest.approx(0.5)
    assert tuned.balanced_accuracy == 1
    assert tuned.record()["settings"]["skill"] == 0, "the settings as given"
    assert tuned.record()["seconds"]["tune"] > 0


def test_no_fit_of_the_search_sees_a_sample_of_the_test_part_or_its_group(features, planted):
    task = prepare(features, Design(folds=3, draws=100, tune=8))
    for fold in task.folds:
        planted.fits.clear()
        Tuner(HeadRun(task, "planted", None), {}).choose(fold.train)
        assert len(planted.fits) > 8
        for _, seen in planted.fits:
            assert not set(task.groups[seen]) & set(task.groups[fold.test])


def test_groups_never_straddle_inner_folds(features, planted):
    task = prepare(features, Design(folds=3, draws=100, tune=2))
    rows = task.folds[0].train
    tuner = Tuner(HeadRun(task, "planted", None), {})
    tuner.choose(rows)
    for _, seen in planted.fits:
        assert not set(task.groups[seen]) & set(task.groups[np.setdiff1d(rows, seen)])


def test_rungs_below_the_last_take_whole_groups_and_every_class(features, planted, monkeypatch):
    monkeypatch.setattr(tuning, "FEWEST_SAMPLES", 5)
    task = prepare(features, Design(folds=3, draws=100, tune=8))
    rows = task.folds[0].train
    Tuner(HeadRun(task, "planted", None), {}).choose(rows)
    sizes = sorted({len(seen) for _, seen in planted.fits})
    assert sizes[0] < sizes[-1] / 2
    for _, seen in planted.fits:
        groups = np.unique(task.groups[seen])
        assert np.isin(task.groups, groups).sum() == len(seen)
        assert set(task.y[seen]) == {"a", "b", "c"}


def test_the_settings_as_given_stay_where_none_is_clearly_better(make_clusters):
    """Without signal the best of the candidates leads by chance; taking it would be the winner's curse."""
    features = make_clusters(n=240, separation=0.0)
    result = compare(features, ["knn"], design=Design(tune=9, **FEW_DRAWS)).best
    choices = result.record()["tuning"]["per_fold"]
    kept = [choice for choice in choices if not choice["settings"]]
    assert kept
    assert all(choice["score"] == choice["given_score"] for choice in kept)
    for choice in choices:
        assert choice["score"] >= choice["given_score"]


def test_settings_that_the_user_gave_are_not_searched(features, planted):
    result = compare(features, ["planted"], design=Design(tune=8, **FEW_DRAWS), settings={"planted": {"skill": 1}}).best
    assert {params["skill"] for params, _ in planted.fits} == {1}
    assert all(set(choice["settings"]) <= {"other"} for choice in result.record()["tuning"]["per_fold"])


def test_settings_that_cannot_be_fitted_are_left_out_and_told(features, planted):
    result = compare(features, ["planted"], design=Design(tune=8, **FEW_DRAWS)).best
    failures = result.record()["tuning"]["per_fold"][0]["failures"]
    assert len(failures) == 2
    assert "skill=3: ValueError: no skill of 3 with me" in failures
    assert any("6 settings could not be fitted" in line for line in tuning_lines([result]))


def test_given_settings_that_fail_are_replaced_by_ones_that_do_not(features, planted):
    task = prepare(features, Design(folds=3, draws=100, tune=8))
    planted.__init__.__defaults__ = (3, 0)
    try:
        choice = Tuner(HeadRun(task, "planted", None), {}).choose(task.folds[0].train)
    finally:
        planted.__init__.__defaults__ = (0, 0)
    assert choice.settings == {"skill": 2}
    assert choice.given_score is None


def test_where_nothing_can_be_fitted_the_head_fails(features, planted):
    with pytest.raises(HeadError, match="no skill of 3 with me"):
        compare(features, ["planted"], design=Design(tune=8, **FEW_DRAWS), settings={"planted": {"skill": 3}})


def test_a_head_without_a_search_space_is_not_tuned(make_clusters):
    lines = []
    comparison = compare(make_clusters(), ["dummy"], design=Design(tune=5, **FEW_DRAWS), hooks=Hooks(say=lines.append))
    assert comparison.best.record()["tuning"] is None
    assert lines == ["dummy: no settings to choose from"]
    assert tuning_lines(comparison.results) == []


def test_the_cost_is_told_before_the_first_fit_and_the_time_after_it(features, planted):
    told = []
    compare(
        features,
        ["planted"],
        design=Design(tune=8, **FEW_DRAWS),
        hooks=Hooks(say=lambda line: told.append((line, len(planted.fits)))),
    )
    (cost, n_before), (estimate, n_first) = told
    assert n_before == 0
    assert cost == "planted: 8 settings in each of 3 folds, 72 fits on parts of them"
    assert n_first == 1
    assert estimate == "planted: 8 settings, 3 folds, about 1 s"


def test_fit_tells_that_all_samples_come_after_the_folds(features, planted):
    told = []
    fit(features, "planted", design=Design(tune=8, **FEW_DRAWS), hooks=Hooks(say=told.append))
    cost, estimate = told
    assert cost == "planted: 8 settings in each of 3 folds and on all samples, 96 fits on parts of them"
    assert estimate == "planted: 8 settings, 3 folds and all samples, about 1 s"


def test_the_time_told_is_that_of_all_samples_fitted(features, planted, monkeypatch):
    """At a second for the first fit, each other takes as much longer as it has more samples."""
    monkeypatch.setattr(planted, "search_space", {"skill": [0, 1, 2], "other": [0, 1, 2]})
    task = prepare(features, Design(folds=3, draws=100, tune=8))
    told = []
    tuner = Tuner(HeadRun(task, "planted", None), {}, told.append, on_all=True)
    tuner._estimate_once(1.0)
    parts = [*(fold.train for fold in task.folds), np.arange(len(task.y))]
    for rows in parts:
        tuner.choose(rows)
    n_fitted = sum(len(seen) for _, seen in planted.fits) + sum(map(len, parts))
    seconds = n_fitted / len(planted.fits[0][1])
    assert told == [f"planted: 8 settings, 3 folds and all samples, about {tuning._duration(seconds)}"]


def test_a_class_in_too_few_groups_for_inner_folds_is_told_before_the_first_fit(features, planted):
    with pytest.raises(SplitError, match="inner folds need every class in 2 or more groups"):
        compare(features, ["planted"], design=Design(groups="none", tune=8, folds=2), labels=few_of_a_class(features))
    assert not planted.fits


def few_of_a_class(features):
    labels = dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))
    rare = [name for name, label in labels.items() if label == "c"][2:]
    return {name: label for name, label in labels.items() if name not in rare}


@pytest.mark.parametrize(
    ("space", "message"),
    [({"skil": [1, 2]}, "did you mean 'skill'"), ({"skill": [1, len]}, "cannot be saved")],
)
def test_a_search_space_that_does_not_fit_its_head_is_refused(features, planted, monkeypatch, space, message):
    monkeypatch.setattr(planted, "search_space", space)
    with pytest.raises(HeadError, match=message):
        compare(features, ["planted"], design=Design(tune=8, **FEW_DRAWS))


def test_the_promised_number_of_fits_is_made(features, planted, monkeypatch):
    monkeypatch.setattr(planted, "search_space", {"skill": [0, 1, 2], "other": [0, 1, 2]})
    monkeypatch.setattr(tuning, "FEWEST_SAMPLES", 5)
    told = []
    compare(features, ["planted"], design=Design(tune=9, **FEW_DRAWS), hooks=Hooks(say=told.append))
    assert f"{len(planted.fits) - 3} fits" in told[0]


def test_progress_grows_to_the_end(features, planted):
    done = []
    compare(
        features,
        ["planted"],
        design=Design(tune=8, **FEW_DRAWS),
        hooks=Hooks(progress=lambda *event: done.append(event[2:])),
    )
    assert [total for _, total in done] == [3] * len(done)
    shares = [share for share, _ in done]
    assert shares == sorted(shares)
    assert len(shares) > 20
    assert shares[-1] <= 3


def test_the_same_seed_gives_the_same_choices_and_predictions(make_clusters):
    arguments = {"heads": ["knn", "logreg"], "tune": 5, **FEW_DRAWS}
    first, second = (compare(make_clusters(separation=0.6), design=Design(**arguments)) for _ in range(2))
    pd.testing.assert_frame_equal(first.predictions(), second.predictions())
    for one, other in zip(first.results, second.results, strict=True):
        assert strip_seconds(one.record()) == strip_seconds(other.record())


def strip_seconds(metrics):
    return {name: value for name, value in metrics.items() if name != "seconds"}


@pytest.fixture
def cache(tmp_path):
    return FoldCache(tmp_path / ".cache")


def test_a_choice_is_made_once_and_folds_of_the_settings_as_given_are_shared(make_clusters, cache, monkeypatch):
    arguments = {"heads": ["knn"], "cache": cache, **FEW_DRAWS}
    first = compare(make_clusters(), design=Design(tune=5, **arguments)).best
    monkeypatch.setattr(tuning._Search, "choice", lambda _search: pytest.fail("searched again"))
    second = compare(make_clusters(), design=Design(tune=5, **arguments)).best
    assert second.n_cached == 3
    assert second.record() == first.record()


CHANGES = {
    "more candidates": {"tune": 6},
    "the seed": {"random_state": 1},
    "a given setting": {"settings": {"knn": {"class_weight": None}}},
    "the groups": {"groups": "plate"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_a_choice_makes_it_anew(make_clusters, cache, monkeypatch, name):
    features = make_clusters()
    features = with_samples(features, columns={"plate": np.char.mod("p%d", np.arange(180) // 6)})
    arguments = {"heads": ["knn"], "cache": cache, "tune": 5, **FEW_DRAWS}
    compare(features, design=Design(**arguments))
    searches = []
    choose = tuning._Search.choice
    monkeypatch.setattr(tuning._Search, "choice", lambda search: searches.append(1) or choose(search))
    compare(features, design=Design(**arguments | CHANGES[name]))
    assert len(searches) == 3


def test_another_search_space_is_another_question(make_clusters, cache, monkeypatch):
    arguments = {"heads": ["knn"], "cache": cache, "tune": 3, **FEW_DRAWS}
    compare(make_clusters(), design=Design(**arguments))
    monkeypatch.setattr("cellfeat.heads.knn.KNNHead.search_space", {"n_neighbors": [2, 4]})
    changed = compare(make_clusters(), design=Design(**arguments)).best
    for choice in changed.record()["tuning"]["per_fold"]:
        assert choice["settings"] in ({}, {"n_neighbors": 2}, {"n_neighbors": 4})


def test_ctrl_c_in_a_search_keeps_the_heads_that_are_finished(features, planted, make_clusters):
    def interrupt(head, fold, n_done, n_total):
        if head == "planted" and n_done > 3.5:
            raise KeyboardInterrupt

    comparison = compare(
        features, ["knn", "planted"], design=Design(tune=4, **FEW_DRAWS), hooks=Hooks(progress=interrupt)
    )
    assert not comparison.is_complete
    assert [result.head for result in comparison.results] == ["knn"]


def test_fit_tunes_on_all_samples_and_saves_what_it_found(features, planted, tmp_path, make_clusters):
    bundle, result = fit(features, "planted", design=Design(tune=8, **FEW_DRAWS))
    assert result.record()["tuning"]["final"] == {"skill": 2}
    assert bundle.head.skill == 2
    assert bundle.settings == {"skill": 2}
    assert result.record()["settings"]["skill"] == 2
    assert result.balanced_accuracy == 1
    assert "planted, all samples: skill=2" in tuning_lines([result])


def test_a_tuned_head_can_be_saved_and_loaded(make_clusters, tmp_path):
    bundle, result = fit(make_clusters(separation=0.6), "logreg", design=Design(tune=4, **FEW_DRAWS))
    save_bundle(bundle, tmp_path / "saved")
    loaded = load_bundle(tmp_path / "saved")
    assert loaded.head.get_params() == bundle.head.get_params()
    assert loaded.scores["tuning"] == result.record()["tuning"]


def test_choices_are_told_most_frequent_first():
    assert describe_choices([{"C": 0.1}]) == "C=0.1 in 1 of 1 folds"
    told = describe_choices([{}, {"a": 1, "b": 2}, {"a": 1, "b": 2}])
    assert told == "a=1, b=2 in 2 of 3 folds; settings as given in 1"


def test_evaluate_without_tuning_makes_one_fit_a_fold(features, planted):
    task = prepare(features, Design(folds=3, draws=100))
    evaluate(task, "planted", {})
    assert len(planted.fits) == 3
    assert math.isclose(evaluate(task, "planted", {}).seconds.tune, 0)
