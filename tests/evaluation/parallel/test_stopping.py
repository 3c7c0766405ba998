"""Ctrl-C and kills: finished folds stay, and no process and no file is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from tests.feature_fixtures import SMALL, build_clusters

SCRIPT = """
import os, sys, time
from pathlib import Path
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from sklearn.neighbors import KNeighborsClassifier
from tests.feature_fixtures import SMALL, build_clusters

class Slow(KNeighborsClassifier):
    def fit(self, X, y):
        open(f"worker_{os.getpid()}", "w").close()
        time.sleep(600)

hooks = Hooks(outcome=lambda outcome: open("first", "w").close())
try:
    options = {"cache": FoldCache(Path("cache")), "jobs": 2, "hooks": hooks}
    made = compare(build_clusters(n=3000, dim=50), ["knn", Slow()], design=SMALL, **options)
except KeyboardInterrupt:
    sys.exit(130)
print([one.head for one in made.results], made.is_complete, flush=True)
"""


def is_alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def waits_for(condition, seconds=90) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_stopped_comparison_leaves_finished_folds_and_nothing_else(tmp_path, kill):
    shared = tmp_path / "shared"
    shared.mkdir()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "JOBLIB_TEMP_FOLDER": str(shared)}
    started = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert waits_for(lambda: (tmp_path / "first").exists() and any(tmp_path.glob("worker_*")))
    workers = [int(path.name.removeprefix("worker_")) for path in tmp_path.glob("worker_*")]
    assert all(map(is_alive, workers))
    assert any(shared.iterdir())
    if kill == signal.SIGINT:
        os.killpg(started.pid, kill)  # as a terminal does
    else:
        started.kill()
    out, err = started.communicate(timeout=30)
    if kill == signal.SIGINT:
        assert out.strip() == "['knn'] False", err
        assert "Traceback" not in err
    assert waits_for(lambda: not any(map(is_alive, workers)), 10)
    assert waits_for(lambda: not any(shared.iterdir()), 20)
    cached = compare(build_clusters(n=3000, dim=50), ["knn"], design=SMALL, cache=FoldCache(tmp_path / "cache")).best
    assert cached.n_cached == 3
