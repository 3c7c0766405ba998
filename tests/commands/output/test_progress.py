import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from cellfeat.commands.output.progress import ProgressObserver
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results.head_results import HeadFailure, HeadResult
from cellfeat.evaluation.scores.head_scores import Calibration, Overall, PerClass, ProbabilityScores, Scores, Seconds
from cellfeat.evaluation.task.provenance import Provenance
from cellfeat.evaluation.task.sample_counts import Counts
from cellfeat.statistics.interval_types import Interval

PROBABILITIES = ProbabilityScores(0.5, 0.1, np.empty((0, 3)))


def result(head, score, *, n_cached=0):
    recall = np.array([score - 0.2, score + 0.2])
    return HeadResult(
        head=head,
        predictions=pd.DataFrame(),
        scores=Scores(
            overall=Overall(score, Interval(score - 0.1, score + 0.1), score, per_fold=(score,) * 5),
            per_class=PerClass(("HeLa", "RT4"), recall, np.column_stack([recall, recall]), np.eye(2, dtype=int)),
            calibration=Calibration("none", 1.0, PROBABILITIES, PROBABILITIES, ()),
        ),
        counts=Counts(2, 2, 0, 0, 0, None),
        design=Design(folds=5),
        provenance=Provenance("cells.h5", "sha256:test", 2, "sha256:samples", "none", None, 0, "0"),
        seconds=Seconds(fit=1.0, predict=0.5),
        n_cached=n_cached,
    )


@pytest.fixture
def console(request):
    return Console(file=io.StringIO(), force_terminal=request.param, width=100)


@pytest.mark.parametrize("console", [True], indirect=True)
def test_terminal_shows_the_fold_and_the_scores_so_far(console):
    with ProgressObserver(console) as observer:
        observer.fold_begins("knn", 1, 0, 10)
        assert observer._live.is_started
        observer.head_done(result("knn", 0.5))
        observer.head_done(result("mlp", 0.7))
        observer.fold_begins("logreg", 2, 6, 10)
        observer._live.refresh()
    shown = console.file.getvalue()
    assert "logreg, fold 2" in shown
    last = shown[shown.rindex("worst class") :]
    assert last.index("mlp") < last.index("knn")
    (row,) = (line for line in last.splitlines() if line.startswith("mlp"))
    assert row.split()[-3:] == ["HeLa", "0.500", "1.5"]
    assert not observer._live.is_started


@pytest.mark.parametrize("console", [True], indirect=True)
def test_terminal_shows_parts_of_a_fold_and_the_fit_on_all_samples(console):
    with ProgressObserver(console) as observer:
        observer.fold_begins("knn", 2, 1.5, 5)
        assert observer._progress.tasks[0].completed == 1.5
        observer.fold_begins("knn", 0, 5, 5)
        observer._live.refresh()
    assert "knn, all samples" in console.file.getvalue()


@pytest.mark.parametrize("console", [False], indirect=True)
def test_log_has_a_line_a_head_and_no_bars(console):
    with ProgressObserver(console) as observer:
        observer.fold_begins("knn", 1, 0, 10)
        observer.head_done(result("knn", 0.5, n_cached=3))
        observer.head_done(HeadFailure("mlp", "mlp failed in fold 1 of 5: out\x1b[2J of memory"))
    assert console.file.getvalue().splitlines() == [
        "knn: balanced accuracy 0.500 [0.400, 0.600]; 3 of 5 folds from an earlier run",
        "mlp failed in fold 1 of 5: out\\x1b[2J of memory",
    ]


@pytest.mark.parametrize("console", [False], indirect=True)
def test_remark_said_once_is_not_repeated(console):
    with ProgressObserver(console) as observer:
        for seed in (0, 1):
            observer.say(f"folds with seed {seed}")
            observer.say_once("10 samples have no plate")
    assert console.file.getvalue().splitlines() == [
        "folds with seed 0",
        "10 samples have no plate",
        "folds with seed 1",
    ]
