"""How much memory a comparison takes, as a multiple of the matrix of embeddings; measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.feature_fixtures import build_features

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

SHAPE = (40_000, 1, 512)
CHILD = """
import sys, threading, time
from pathlib import Path
from sklearn.linear_model import LogisticRegression
import lightgbm, torch
import cellfeat.evaluation.task.chosen_embeddings as chosen_embeddings
import cellfeat.extraction.store.mapping as mapping
import cellfeat.heads.rows as heads_rows
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design

path, head, mapped_from, settings = sys.argv[1], sys.argv[2], int(sys.argv[3]), eval(sys.argv[4])
mapping.MAPPED_FROM = mapped_from
# Blocks that are small beside this small matrix, as they are beside a large one.
heads_rows.BLOCK_ELEMENTS = chosen_embeddings.BLOCK_ELEMENTS = 1 << 18

def own():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])

most, before = 0, own()

def watch():
    global most
    while True:
        most = max(most, own())
        time.sleep(0.005)

threading.Thread(target=watch, daemon=True).start()
compared = compare(path, [head], design=Design(folds=2, draws=100), settings={head: settings})
assert not compared.failures
print(most - before)
"""
QUICK = {"logreg": {"max_iter": 3}, "mlp": {"epochs": 1, "hidden": 16}, "lightgbm": {"n_estimators": 2, "n_jobs": 1}}
IN_MEMORY, MAPPED = 1 << 40, 0


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    label = np.array(list("abc"))[np.arange(SHAPE[0]) % 3]
    embeddings = rng.standard_normal(SHAPE, dtype=np.float32)
    embeddings[:, 0, 0] += np.arange(SHAPE[0]) % 3
    path = tmp_path_factory.mktemp("memory") / "features.h5"
    # One sample without a label: those in use are not all rows of the file.
    label[5] = ""
    build_features(label, embeddings).save(path)
    return path


def times_the_matrix(path: Path, head: str, mapped_from: int) -> float:
    command = [sys.executable, "-W", "ignore", "-c", CHILD, path, head, mapped_from, QUICK[head]]
    done = subprocess.run([str(word) for word in command], capture_output=True, check=True, text=True, timeout=300)
    return int(done.stdout.split()[-1]) / (4 * SHAPE[0] * SHAPE[2])


@pytest.mark.slow
def test_logreg_takes_one_copy_of_a_fold(path: Path) -> None:
    # All rows, and the training part of a fold: one and a half, and something for all else. Three and more before.
    assert times_the_matrix(path, "logreg", IN_MEMORY) < 2.4


@pytest.mark.slow
def test_mapped_file_takes_no_memory_of_its_own(path: Path) -> None:
    assert times_the_matrix(path, "logreg", MAPPED) < 1.4


@pytest.mark.slow
@pytest.mark.parametrize("head", ["mlp", "lightgbm"])
def test_other_heads_take_one_copy_of_a_fold(path: Path, head: str) -> None:
    # Beside them: half of the rows again in bfloat16, or as bins, and what the libraries allocate at their first use.
    assert times_the_matrix(path, head, IN_MEMORY) < 3.4
