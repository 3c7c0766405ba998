"""Fixtures of the tests in this folder."""

from cellfeat.evaluation.learning_curves.curves import LearningCurve
from cellfeat.statistics.interval_types import Difference
from tests.feature_fixtures import (  # noqa: F401, pytest finds fixtures by name
    bundle,
    comparison,
    failing_head,
    held_out,
    hostile,
    labelled,
    make_clusters,
    make_features,
    samples,
    with_pictures,
)


def curves_of(found):
    """Learning curves whose points are the results of a comparison."""
    return [
        LearningCurve(
            head=result.head,
            fractions=(0.5, 1.0),
            n_train=(60, 120),
            results=(result, result),
            gain=Difference(0.0, -0.01, 0.01, 1.0),
        )
        for result in found.results
    ]
