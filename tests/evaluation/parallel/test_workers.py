import os
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from cellfeat.errors import ConfigError, DiskFullError, WorkerError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.parallel.ray_cluster import RayCluster
from cellfeat.evaluation.parallel.workers import JoblibWorkers, processes
from tests.feature_fixtures import SMALL, build_clusters


class Unpicklable(KNeighborsClassifier):
    """A classifier that holds a lock, as one with a connection or an open file does."""

    def __reduce__(self):
        raise TypeError("cannot pickle '_thread.lock' object")


class Failing(KNeighborsClassifier):
    def fit(self, X, y):
        raise RuntimeError("singular matrix")


class Ending(KNeighborsClassifier):
    def fit(self, X, y):
        os._exit(9)


class Looking(KNeighborsClassifier):
    """Writes down what this process maps."""

    def fit(self, X, y):
        mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if "joblib_memmapping" in line]
        assert mapped, "the features are not mapped"
        raise RuntimeError(f"mapped {len(mapped)} arrays, pid {os.getpid()}")


@pytest.mark.slow
def test_failing_and_unpicklable_heads_cost_the_others_nothing():
    told = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        comparison = compare(
            build_clusters(),
            ["dummy", Failing(), Unpicklable(), "logreg", "knn"],
            settings={"logreg": {"max_iter": 1}},
            design=SMALL,
            jobs=2,
            hooks=Hooks(outcome=lambda outcome: told.append(outcome.head)),
        )
    assert told == ["dummy", "Failing", "Unpicklable", "logreg", "knn"]
    reasons = {failure.head: failure.reason for failure in comparison.failures}
    assert reasons.keys() == {"Failing", "Unpicklable"}
    assert all(noun in reasons["Failing"] for noun in ("fold 1 of 3", "RuntimeError", "singular matrix"))
    assert all(noun in reasons["Unpicklable"] for noun in ("cannot be sent", "jobs=1"))
    assert sum("still improving" in str(one.message) for one in caught) == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="reads /proc")
def test_features_are_mapped_and_not_copied():
    features = build_clusters(n=3000, dim=50)
    comparison = compare(features, ["dummy", Looking()], design=SMALL, jobs=2)
    (failure,) = comparison.failures
    assert "mapped" in failure.reason
    assert "not mapped" not in failure.reason


@pytest.mark.slow
def test_workers_are_not_killed_where_the_last_answer_is_counted_late(monkeypatch):
    # joblib hands an answer over before it counts it, and another thread may run between both.
    counted, aborted = joblib.parallel.BatchCompletionCallBack._dispatch_new, []

    def late(answer):
        time.sleep(0.2)
        counted(answer)

    abort = joblib.Parallel._abort
    monkeypatch.setattr(joblib.parallel.BatchCompletionCallBack, "_dispatch_new", late)
    monkeypatch.setattr(joblib.Parallel, "_abort", lambda parallel: (aborted.append(1), abort(parallel)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(build_clusters(n=3000, dim=50), ["dummy", "knn"], design=SMALL, jobs=2)
    assert not aborted


@pytest.mark.slow
def test_ended_worker_is_named():
    with pytest.raises(WorkerError, match=r"memory.*--jobs"):
        compare(build_clusters(), ["dummy", Ending()], design=SMALL, jobs=2)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2", True])
def test_wrong_number_of_jobs_is_refused(jobs):
    with pytest.raises(ConfigError, match="jobs"):
        compare(build_clusters(), ["dummy"], design=SMALL, jobs=jobs)


def test_lack_of_room_for_shared_features_is_said_before_any_fold(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    with pytest.raises(DiskFullError, match="JOBLIB_TEMP_FOLDER"), processes(2, 10**18):
        pass


def test_address_of_nothing_is_refused_at_once():
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9"):
        compare(build_clusters(), ["dummy"], design=SMALL, jobs=RayCluster("127.0.0.1:9"))


@pytest.mark.slow
def test_first_failing_fold_is_named_whatever_order(make_clusters):
    """Folds run side by side, and the message is that of a loop."""
    with pytest.raises(Exception, match="fold 1 of 3"):
        compare(make_clusters(), [Failing()], design=SMALL, jobs=2)


@pytest.mark.slow
def test_embeddings_stay_as_they_are():
    features = build_clusters()
    before = np.array(features.embeddings)
    compare(features, ["knn"], design=SMALL, jobs=2)
    assert (np.asarray(features.embeddings) == before).all()


@pytest.mark.filterwarnings("error")
def test_a_process_that_joblib_replaces_is_not_told() -> None:
    def parallel(calls):
        # joblib's words where a process has grown between two pieces
        warnings.warn("A worker stopped while some jobs were given to the executor.", UserWarning, stacklevel=1)
        yield from calls

    assert not list(JoblibWorkers(parallel, 2).attempts(iter(())))
