from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import SplitError, UnknownNameError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.task.task import prepare
from tests.feature_fixtures import build_clusters, with_samples

LEFT_OUT = Design(folds="leave-one-out", groups="plate", draws=100)
STANDARDISED = replace(LEFT_OUT, standardise="plate")


def shifted(n=360, n_plates=4, strength=6.0, plates=None):
    """Clusters of three classes on plates, each of which adds a shift of its own."""
    features = build_clusters(n=n, dim=8, separation=1.5)
    plates = np.arange(n) // 3 % n_plates if plates is None else plates
    shifts = np.random.default_rng(5).normal(0, strength, (plates.max() + 1, 8))
    names = np.array([f"P{plate + 1}" for plate in plates])
    moved = features.embeddings + shifts[plates][:, None].astype(np.float32)
    return with_samples(replace(features, embeddings=moved), columns={"plate": names})


def score_of(features, design, **more):
    return compare(features, ["logreg"], design=design, **more).best.balanced_accuracy


def test_standardising_within_plates_brings_back_what_a_shift_costs():
    features = shifted()
    assert score_of(features, LEFT_OUT) < 0.7
    assert score_of(features, STANDARDISED) > 0.85


@pytest.mark.slow
def test_medians_of_training_parts_do_not_read_the_plate_that_is_left_out():
    features = shifted()
    training = replace(STANDARDISED, standardise_from="training")
    assert score_of(features, training) < 0.75
    # In random folds every plate has training samples.
    assert score_of(features, Design(draws=100, standardise="plate", standardise_from="training")) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("way", ["all", "training"])
def test_cached_and_parallel_scores_are_the_same(tmp_path, way):
    features = shifted(n=180, n_plates=3)
    design = Design(folds=3, draws=100, standardise="plate", standardise_from=way)
    cache = FoldCache(tmp_path)
    plain = score_of(features, replace(design, standardise=None), cache=cache)
    first = score_of(features, design, cache=cache)
    assert first == score_of(features, design, cache=cache) == score_of(features, design, jobs=2)
    assert first != plain


def said(features, design=STANDARDISED):
    lines = []
    prepare(features, design, say=lines.append)
    return " ".join(line for line in lines if "standardise" in line)


def test_the_way_is_said():
    assert "transductive" in said(shifted())
    assert "training part" in said(shifted(), replace(STANDARDISED, standardise_from="training"))


def test_plates_of_a_single_class_are_refused():
    features = shifted(plates=np.arange(360) % 3)
    with pytest.raises(SplitError, match="single class"):
        said(features, Design(standardise="plate"))


def test_a_plate_of_a_single_class_or_of_few_samples_is_warned_about():
    plates = np.arange(360) // 3 % 2
    plates[::3][:40] = 2
    plates[-9:] = 3
    told = said(shifted(plates=plates), Design(standardise="plate"))
    assert "P3 of plate has a single class" in told
    assert "9 samples" in told


def test_small_plates_alone_are_refused():
    with pytest.raises(SplitError, match="20 samples"):
        said(shifted(n=90, n_plates=10), Design(standardise="plate"))


def test_unknown_plates_are_refused():
    with pytest.raises(UnknownNameError, match="plaet"):
        said(shifted(), Design(standardise="plaet"))
    with pytest.raises(SplitError, match="no plates"):
        said(shifted(), Design(standardise="auto"))


def test_results_record_it():
    comparison = compare(shifted(), ["dummy"], design=STANDARDISED, hooks=Hooks())
    assert comparison.record()["design"]["standardise"] == "plate"
    assert "standardise" not in Design().record()
