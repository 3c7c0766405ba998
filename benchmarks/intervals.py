"""How often intervals hold, by simulation: of this fitted head, and of this way of making a head.

    python benchmarks/intervals.py --repeats 1000 --output intervals.jsonl

Each data set is generated: four classes, 400 samples, single cells or 32 plates with an offset each. Small heads are
evaluated by five grouped folds, and fitted on all samples. Their true scores are measured on 10,000 further samples.
Two heads of one kind that see one half of the columns each have equal expected scores. A line of the output file is one
data set; started again, the script continues after the last one.

A row of the table tells how often the intervals hold what they are for, and their mean width: the balanced accuracy and
the difference of two heads, for the fitted heads and for the way of making them; then the difference between a score on
200 held-out samples and the out-of-fold score (which should be 0), by the interval of version 0.1 and as `score` gives
it.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from cellfeat.evaluation.folds.grouped_folds import grouped_folds
from cellfeat.statistics.claims import widening
from cellfeat.statistics.full_size import full_size_values, weight_of_halves
from cellfeat.statistics.interval_types import independent_difference
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.scores import balanced_accuracy

CLASSES = ("a", "b", "c", "d")
N_COLUMNS, N_SAMPLES, N_TRUE, N_FOLDS = 16, 400, 10_000, 5
PLATES = 32
DRAWS = 300

HEADS: dict[str, Callable[[], object]] = {
    "linear": partial(LinearDiscriminantAnalysis, solver="lsqr", shrinkage=0.1),
    "1 neighbour": partial(KNeighborsClassifier, 1),
    "15 neighbours": partial(KNeighborsClassifier, 15),
    "tree": partial(DecisionTreeClassifier, min_samples_leaf=3),
}


class World:
    """Where the classes lie; samples are drawn from it."""

    def __init__(self, *, plates: bool) -> None:
        # Both halves of the columns tell the classes equally well.
        half = np.random.default_rng(1).normal(size=(len(CLASSES), N_COLUMNS // 2))
        self._means, self._plates = 0.75 * np.hstack([half, half]), plates

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns, labels and groups of new samples."""
        y = np.arange(n) % len(CLASSES)
        size = N_SAMPLES // PLATES if self._plates else 1
        groups = np.arange(n) // size
        offsets = (0.4 if self._plates else 0) * rng.normal(size=(groups[-1] + 1, N_COLUMNS))
        columns = self._means[y] + offsets[groups] + rng.normal(size=(n, N_COLUMNS))
        return columns, np.array(CLASSES)[y], groups


def predictions(head: Callable[[], Any], train: tuple, columns: np.ndarray) -> np.ndarray:
    return head().fit(*train).predict(columns)


class Evaluated:
    """One head, out of fold, on halves, on all samples, and its true scores."""

    def __init__(self, head: Callable[[], Any], part: slice, samples: tuple, truth: tuple, held: tuple, seed: int):
        columns, y, groups = samples[0][:, part], *samples[1:]
        far, far_y = truth[0][:, part], truth[1]
        self.predicted, true = np.empty_like(y), []
        for fold in grouped_folds(y, groups, N_FOLDS, random_state=seed):
            found = predictions(head, (columns[fold.train], y[fold.train]), np.vstack([columns[fold.test], far]))
            self.predicted[fold.test] = found[: len(fold.test)]
            true.append(balanced_accuracy(far_y, found[len(fold.test) :], CLASSES))
        self.true = float(np.mean(true))
        self.halves = np.empty_like(y)
        for fold in grouped_folds(y, groups, 2, random_state=seed):
            self.halves[fold.test] = predictions(head, (columns[fold.train], y[fold.train]), columns[fold.test])
        self.held = predictions(head, (columns, y), held[0][:, part])


def one(head: Callable[[], object], world: World, seed: int) -> dict[str, list[float]]:
    """Everything of one data set that the table needs."""
    rng = np.random.default_rng([seed, 7])
    samples, truth, held = (world.draw(rng, n) for n in (N_SAMPLES, N_TRUE, N_SAMPLES // 2))
    half = N_COLUMNS // 2
    first, second = (
        Evaluated(head, part, samples, truth, held, seed) for part in (slice(half), slice(half, N_COLUMNS))
    )
    y = samples[1]
    bootstrap = GroupBootstrap(y, samples[2], CLASSES, n_draws=DRAWS, random_state=seed)
    wide = widening([1] * N_FOLDS, [N_FOLDS - 1] * N_FOLDS)
    score = balanced_accuracy(y, first.predicted, CLASSES)
    of_held = GroupBootstrap(held[1], held[2], CLASSES, n_draws=DRAWS, random_state=seed)
    here, of_here = balanced_accuracy(held[1], first.held, CLASSES), of_held.interval(first.held)
    values = full_size_values(first.predicted == y, first.halves == y, weight_of_halves(1 - 1 / N_FOLDS))
    expected = float(np.mean([values[y == name].mean() for name in CLASSES]))
    of_expected = bootstrap.mean_interval(values, widened=wide)
    gaps = [bootstrap.differences([first.predicted, second.predicted], widened=by)[0].difference for by in (1, wide)]
    return {
        "true": [first.true, first.true - second.true],
        "score": [score, *bootstrap.interval(first.predicted), *bootstrap.interval(first.predicted, widened=wide)],
        "gap": [gaps[0].estimate, gaps[0].low, gaps[0].high, gaps[1].low, gaps[1].high],
        "old": list(independent_difference(here, of_here, score, bootstrap.interval(first.predicted))),
        "new": list(independent_difference(here, of_here, expected, of_expected)),
    }


def holds(low: np.ndarray, high: np.ndarray, true: np.ndarray | float) -> str:
    """Share of intervals that hold the truth, with its standard error, and the mean width."""
    share = float(np.mean((low <= true) & (true <= high)))
    return f"{share:.1%} ± {np.sqrt(share * (1 - share) / len(low)):.1%} ({np.mean(high - low):.3f})"


def row(found: list[dict[str, list[float]]]) -> str:
    true, score, gap, old, new = (
        np.array([one[key] for one in found]) for key in ("true", "score", "gap", "old", "new")
    )
    mean = float(true[:, 0].mean())
    cells = [
        holds(score[:, 1], score[:, 2], true[:, 0]),
        holds(score[:, 1], score[:, 2], mean),
        holds(score[:, 3], score[:, 4], mean),
        holds(gap[:, 1], gap[:, 2], true[:, 1]),
        holds(gap[:, 1], gap[:, 2], 0.0),
        holds(gap[:, 3], gap[:, 4], 0.0),
        holds(old[:, 0], old[:, 1], 0.0),
        holds(new[:, 0], new[:, 1], 0.0),
    ]
    return f" {mean:.3f} | " + " | ".join(cells) + " |"


def cases() -> Iterator[tuple[str, Callable[[], object], World]]:
    for kind, plates in (("single cells", False), (f"{PLATES} plates", True)):
        for name, head in HEADS.items():
            yield f"{kind}, {name}", head, World(plates=plates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000, help="data sets of each case")
    parser.add_argument("--output", type=Path, required=True, help="file of finished data sets")
    arguments = parser.parse_args()
    lines = arguments.output.read_text().splitlines() if arguments.output.exists() else []
    done = {(line["case"], line["seed"]): line["found"] for line in map(json.loads, lines)}
    with arguments.output.open("a") as file:
        for seed in range(arguments.repeats):
            for case, head, world in cases():
                if (case, seed) not in done:
                    done[case, seed] = one(head, world, seed)
                    file.write(json.dumps({"case": case, "seed": seed, "found": done[case, seed]}) + "\n")
            file.flush()
    print(
        "| case | true score | fitted | fitted, held against other training | way of making | "
        "gap: fitted | gap: fitted, held against other training | gap: way of making | old `score` | `score` |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case, _, _ in cases():
        print(f"| {case} |" + row([found for (name, _), found in done.items() if name == case]))


if __name__ == "__main__":
    main()
