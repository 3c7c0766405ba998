"""The same bits whoever computes: this process, two or three processes, or a Ray cluster."""

from dataclasses import replace

import pandas as pd
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.learning_curves.learning_curves import learning_curves
from cellfeat.evaluation.parallel.ray_cluster import RayCluster
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.heads.registry import HEADS
from tests.feature_fixtures import SMALL, build_clusters

QUICK = {
    "mlp": {"epochs": 2, "hidden": 16, "device": "cpu"},
    "linear_relu": {"epochs": 2, "device": "cpu"},
    "lightgbm": {"n_estimators": 5},
}
TUNED = replace(SMALL, tune=3)


def compared(jobs, design=SMALL, heads=tuple(HEADS), **options):
    settings = {name: settings for name, settings in QUICK.items() if name in heads}
    return compare(build_clusters(separation=0.7), list(heads), design=design, settings=settings, jobs=jobs, **options)


def record(comparison):
    """Everything but the seconds."""

    def timeless(value):
        if isinstance(value, dict):
            return {key: timeless(one) for key, one in value.items() if key != "seconds"}
        return [timeless(one) for one in value] if isinstance(value, list | tuple) else value

    return [timeless(result.record()) for result in comparison.results]


def assert_equal(found, wanted):
    assert record(found) == record(wanted)
    pd.testing.assert_frame_equal(found.predictions(), wanted.predictions(), check_exact=True)


@pytest.fixture(scope="module")
def in_this_process():
    return compared(1)


@pytest.mark.slow
def test_two_processes_give_the_same_bits(in_this_process):
    assert_equal(compared(2), in_this_process)


@pytest.mark.slow
def test_two_processes_tune_to_the_same_settings():
    heads = ("logreg",)
    assert_equal(compared(2, TUNED, heads), compared(1, TUNED, heads))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 3])
def test_processes_tune_every_head_to_the_same_settings(jobs):
    assert_equal(compared(jobs, TUNED), compared(1, TUNED))


@pytest.mark.slow
def test_fit_finds_the_same_settings(make_clusters):
    found = [fit(make_clusters(separation=0.7), "logreg", design=TUNED, jobs=jobs) for jobs in (1, 2)]
    (one_bundle, one), (two_bundle, two) = found
    assert one_bundle.settings == two_bundle.settings
    assert one.scores.tuning.final == two.scores.tuning.final
    pd.testing.assert_frame_equal(one.predictions, two.predictions, check_exact=True)


@pytest.mark.slow
def test_learning_curves_are_the_same(make_clusters):
    features = make_clusters(separation=0.7)
    one, two = (learning_curves(features, ["knn", "dummy"], (0.5, 1), design=SMALL, jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one.table(), two.table(), check_exact=True)


@pytest.mark.slow
def test_ray_gives_the_same_bits(in_this_process):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=small)
    try:
        cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
        assert_equal(compared(RayCluster(cluster.address)), in_this_process)
        heads = ("logreg", "knn")
        assert_equal(compared(RayCluster(cluster.address), TUNED, heads), compared(1, TUNED, heads))
    finally:
        cluster.shutdown()
