import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.fold_predictions.cache import FoldCache, HeadKeys
from cellfeat.evaluation.folds.fold import FoldOutcome
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.task.task import prepare
from cellfeat.heads.base import HeadClassifier
from cellfeat.heads.linear_models.logreg import LogisticRegressionHead
from cellfeat.heads.registry import make_head
from cellfeat.records import seal
from tests.feature_fixtures import SMALL, with_samples


@pytest.fixture
def fits(monkeypatch):
    """Names of the heads that are really fitted, in order."""
    fitted = []
    fit_head = HeadClassifier.fit_overwriting

    def noted(self, X, y):
        fitted.append(type(self).__name__)
        return fit_head(self, X, y)

    monkeypatch.setattr(HeadClassifier, "fit_overwriting", noted)
    return fitted


def entries(cache):
    return sorted(cache.folder.glob("*.json"))


@pytest.mark.slow
def test_added_head_computes_only_itself(make_clusters, cache, fits):
    first = compare(make_clusters(), ["logreg", "knn"], design=SMALL, cache=cache)
    fits.clear()
    second = compare(make_clusters(), ["logreg", "dummy", "knn"], design=SMALL, cache=cache)
    assert fits == ["DummyHead"] * 3
    assert {result.head: result.n_cached for result in second.results} == {"logreg": 3, "knn": 3, "dummy": 0}
    kept = second.predictions().query("head != 'dummy'").reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first.predictions())
    assert second.best.record() == first.best.record()


def test_what_a_head_chose_is_kept_too(make_clusters, cache):
    first, second = (compare(make_clusters(), ["logreg"], design=SMALL, cache=cache).best for _ in range(2))
    assert (first.n_cached, second.n_cached) == (0, 3)
    assert [set(chosen) for chosen in first.chosen_per_fold] == [{"C"}] * 3
    assert second.chosen_per_fold == first.chosen_per_fold


def test_fit_takes_its_evaluation_from_compare(make_clusters, cache, fits):
    compare(make_clusters(), ["logreg"], design=SMALL, cache=cache)
    fits.clear()
    _, result = fit(make_clusters(), "logreg", design=SMALL, cache=cache)
    assert result.n_cached == 3
    assert len(fits) == 1


def relabelled(features):
    label = features.samples.labels.copy()
    label[0] = "b"
    return with_samples(features, labels=label)


def moved(features):
    embeddings = features.embeddings.copy()
    embeddings[7, 0, 0] = np.nextafter(embeddings[7, 0, 0], np.float32(9))
    return replace(features, embeddings=embeddings)


def unchanged(features):
    return features


CHANGES = {
    "a label": (relabelled, {}),
    "the last bit of an embedding": (moved, {}),
    "a setting": (unchanged, {"settings": {"logreg": {"C": 0.5}}}),
    "the seed": (unchanged, {"design": replace(SMALL, random_state=1)}),
    "the folds": (unchanged, {"design": replace(SMALL, folds=2)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_question_is_computed_again(make_clusters, cache, name):
    change, options = CHANGES[name]
    compare(make_clusters(), ["logreg"], design=SMALL, cache=cache)
    other = compare(change(make_clusters()), ["logreg"], **{"design": SMALL, **options}, cache=cache)
    assert other.best.n_cached == 0


def test_number_of_draws_does_not_matter(make_clusters, cache):
    compare(make_clusters(), ["logreg"], design=SMALL, cache=cache)
    assert compare(make_clusters(), ["logreg"], design=replace(SMALL, draws=300), cache=cache).best.n_cached == 3


def test_fresh_cache_replaces_entries(make_clusters, cache, fits):
    compare(make_clusters(), ["knn"], design=SMALL, cache=cache)
    before = {path.name: path.stat().st_mtime_ns for path in entries(cache)}
    fits.clear()
    compare(make_clusters(), ["knn"], design=SMALL, cache=FoldCache(cache.folder, is_fresh=True))
    assert len(fits) == 3
    after = {path.name: path.stat().st_mtime_ns for path in entries(cache)}
    assert after.keys() == before.keys()
    assert all(after[name] > before[name] for name in before)


def cut_short(text, _other):
    return text[: len(text) // 2]


def with_better_numbers(text, _other):
    record = json.loads(text)
    return json.dumps(record | {"probabilities": record["probabilities"][::-1]})


def of_another_fold(_text, other):
    return other


def no_mapping(_text, _other):
    return "[1, 2]"


def with_a_choice_without_names(text, _other):
    record = json.loads(text)
    return json.dumps(seal({name: record[name] for name in record if name != "digest"} | {"chosen": [0.03]}))


def with_nan(text, _other):
    return json.dumps(json.loads(text) | {"seconds": [float("nan"), 0.0]})


@pytest.mark.parametrize(
    "damage", [cut_short, with_better_numbers, of_another_fold, no_mapping, with_a_choice_without_names, with_nan]
)
def test_damaged_or_foreign_entry_is_computed_again(make_clusters, cache, damage):
    first = compare(make_clusters(), ["logreg"], design=SMALL, cache=cache)
    victim, other, _ = entries(cache)
    whole = victim.read_text()
    victim.write_text(damage(whole, other.read_text()))
    second = compare(make_clusters(), ["logreg"], design=SMALL, cache=cache)
    assert second.best.n_cached == 2
    pd.testing.assert_frame_equal(second.predictions(), first.predictions())
    assert json.loads(victim.read_text())["probabilities"] == json.loads(whole)["probabilities"]


def save_entries(cache, n_entries):
    """Entries of about 200 bytes, used one second after the other."""
    keys = [f"sha256:{i:064d}" for i in range(n_entries)]
    for i, key in enumerate(keys):
        cache.save(key, FoldOutcome(np.full((2, 2), 0.5), 0.0, 0.0))
        os.utime(cache._path(key), ns=(i * 10**9, i * 10**9))
    return keys


def test_least_recently_used_entry_goes_first(cache):
    first, second, third = save_entries(cache, 3)
    assert cache.load(first, (2, 2)) is not None
    small = FoldCache(cache.folder, max_entries=3)
    small.save("sha256:" + "f" * 64, FoldOutcome(np.full((2, 2), 0.5), 0.0, 0.0))
    kept = [key for key in (first, second, third) if cache.load(key, (2, 2)) is not None]
    assert kept == [first, third]


def test_size_is_bounded_and_the_newest_entry_stays(cache):
    keys = save_entries(cache, 6)
    size = entries(cache)[0].stat().st_size
    FoldCache(cache.folder, max_bytes=3 * size).save(keys[0], FoldOutcome(np.full((2, 2), 0.5), 0.0, 0.0))
    assert [path.stem[-1] for path in entries(cache)] == ["0", "4", "5"]
    FoldCache(cache.folder, max_bytes=1).save(keys[4], FoldOutcome(np.full((2, 2), 0.5), 0.0, 0.0))
    assert [path.stem[-1] for path in entries(cache)] == ["4"]


def test_ctrl_c_keeps_finished_folds(make_clusters, cache):
    def interrupt(head, fold, n_done, n_total):
        if fold == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(make_clusters(), ["knn"], design=SMALL, cache=cache, hooks=Hooks(progress=interrupt))
    assert compare(make_clusters(), ["knn"], design=SMALL, cache=cache).best.n_cached == 2


def test_head_without_source_is_not_cached(make_clusters, cache, monkeypatch):
    built_by_hand = type("Nameless", (LogisticRegressionHead,), {"__module__": "builtins"})
    monkeypatch.setattr("cellfeat.heads.registry.head_class", lambda name: built_by_hand)
    for _ in range(2):
        assert compare(make_clusters(), ["logreg"], design=SMALL, cache=cache).best.n_cached == 0
    assert not entries(cache)


def test_edited_head_has_other_keys(make_clusters, tmp_path, monkeypatch):
    task = prepare(make_clusters(), SMALL)
    source = tmp_path / "head.py"
    monkeypatch.setattr("inspect.getfile", lambda _class: str(source))
    keys = []
    for text in ("a = 1", "a = 2"):
        source.write_text(text)
        keys.append(HeadKeys(task, "knn", make_head("knn", {})).key(task.folds[0]))
    assert keys[0] != keys[1]
