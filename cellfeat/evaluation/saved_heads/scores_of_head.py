"""Scores of a saved head's probabilities, over the classes that the samples have."""

from dataclasses import replace

from cellfeat.evaluation.design import Design
from cellfeat.evaluation.scores.head_scores import Scores
from cellfeat.evaluation.scoring.prediction_sets import REPORTED_COVERAGE, set_scores, sets_of
from cellfeat.evaluation.scoring.score import calibration, class_scores, most_probable, overall_scores
from cellfeat.evaluation.task.labelled_samples import LabelledSamples
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.types import Floats


def scores_of(bundle: Bundle, samples: LabelledSamples, design: Design, raw: Floats) -> Scores:
    """Score a saved head on samples, over the classes that these have.

    Parameters
    ----------
    bundle
        The saved head.
    samples, design
        The labelled samples, and how they are scored.
    raw
        The head's uncalibrated probabilities of these samples, shape ``(n_samples, n_classes)``.
    """
    probabilities = bundle.calibrated(raw)
    predicted = most_probable(samples, probabilities)
    occurring = set(samples.y.tolist())
    absent = tuple(name for name in samples.classes if name not in occurring)
    present = replace(samples, classes=tuple(name for name in samples.classes if name in occurring))
    bootstrap = present.bootstrap_of(design)
    has_sets = bundle.class_scores is not None
    return Scores(
        overall=overall_scores(present, predicted, bootstrap, absent=absent),
        per_class=class_scores(present, predicted, bootstrap, absent),
        calibration=calibration(samples, raw, probabilities, design.calibrate, bundle.temperature),
        sets=set_scores(samples, sets_of(bundle, probabilities, REPORTED_COVERAGE)) if has_sets else None,
    )
