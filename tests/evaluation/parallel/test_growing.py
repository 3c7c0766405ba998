"""The default number of jobs: this process first, and others once the work has turned out to be long."""

from pathlib import Path

import pytest
from sklearn.neighbors import KNeighborsClassifier

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.parallel import growing
from cellfeat.evaluation.parallel.workers import JoblibWorkers
from tests.evaluation.parallel.test_equal_results import assert_equal, compared
from tests.feature_fixtures import SMALL, build_clusters


class Unsendable(KNeighborsClassifier):
    """A classifier that holds a lock."""

    def __reduce__(self):
        raise TypeError("cannot pickle '_thread.lock' object")


@pytest.fixture
def started(monkeypatch):
    """The numbers of processes that were started; two are affordable, after any work at all."""
    numbers = []
    start = growing.processes
    monkeypatch.setattr(growing, "processes", lambda n_jobs, n_bytes: numbers.append(n_jobs) or start(n_jobs, n_bytes))
    monkeypatch.setattr(growing, "affordable_jobs", lambda _bytes: 2)
    monkeypatch.setattr(growing, "SECONDS_ALONE", 0.0)
    return numbers


def sent_pieces(monkeypatch):
    """The pieces that processes are asked for."""
    pieces = []
    sent = JoblibWorkers._sent
    monkeypatch.setattr(JoblibWorkers, "_sent", lambda self, run: pieces.append(run.head) or sent(self, run))
    return pieces


@pytest.mark.slow
def test_long_work_goes_to_processes_and_gives_the_same_bits(started, monkeypatch):
    sent = sent_pieces(monkeypatch)
    assert_equal(compared(None, heads=("logreg", "knn")), compared(1, heads=("logreg", "knn")))
    assert started == [2]
    assert sent.count("knn") == 3, "all folds of the second head"


def test_short_work_stays_in_this_process(started, monkeypatch):
    monkeypatch.setattr(growing, "SECONDS_ALONE", 1000.0)
    sent = sent_pieces(monkeypatch)
    compared(None, heads=("dummy",))
    assert not sent


@pytest.mark.slow
def test_head_that_cannot_be_sent_is_fitted_here(started):
    comparison = compare(build_clusters(), ["knn", Unsendable()], design=SMALL)
    assert not comparison.failures


def test_memory_limits_the_number_of_processes(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    gigabyte = 1_000_000_000
    monkeypatch.setattr(growing, "available_bytes", lambda: 100 * gigabyte)
    assert growing.affordable_jobs(4 * gigabyte) == 3
    assert growing.affordable_jobs(60 * gigabyte) == 1
    assert growing.affordable_jobs(1000) == 64
    monkeypatch.setattr(growing, "available_bytes", lambda: None)
    assert growing.affordable_jobs(1000) == 1


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="memory is read from /proc")
def test_available_memory_is_known_on_linux():
    assert growing.available_bytes() > 0
