"""How often `compare` finds a difference between heads that are equal, with intervals of each pair alone and of all.

    python benchmarks/verdicts.py --data-sets 1000

Generated predictions of 9 classes of 25 to 300 samples, by five heads of equal true recalls, which err together on half
of the samples (on 95 % for "similar heads"). In the sets with plates, each plate changes the recalls of each head. A
row gives the share of data sets in which one or more of the ten pairs are called different: by the 95 % interval of
each pair alone, by Bonferroni's intervals, and by the intervals that `compare` shows.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from cellfeat.statistics.interval_types import LEVEL, Difference
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.types import Integers

CLASSES = tuple(f"class {i}" for i in range(9))
SIZES = (300, 200, 150, 120, 100, 80, 60, 40, 25)
RECALLS = np.linspace(0.95, 0.7, 9)
N_HEADS = 5


class DataSet(NamedTuple):
    """Numbers of true classes and groups, and of the classes that each head predicts."""

    truth: Integers
    groups: Integers
    predicted: list[Integers]


def of_cells(rng: np.random.Generator, *, shared: float) -> DataSet:
    """Each sample is its own group."""
    truth = np.repeat(np.arange(9), SIZES)
    luck = rng.random(len(truth))
    heads = [_predictions(rng, truth, RECALLS[truth], luck, shared) for _ in range(N_HEADS)]
    return DataSet(truth, np.arange(len(truth)), heads)


def of_plates(rng: np.random.Generator, *, n_plates: int) -> DataSet:
    """Each plate is a group of 360 samples."""
    groups = np.repeat(np.arange(n_plates), 360)
    truth = rng.choice(9, len(groups), p=np.array(SIZES) / sum(SIZES))
    luck = rng.random(len(truth))
    heads = []
    for _ in range(N_HEADS):
        moved = rng.uniform(-0.08, 0.08, (n_plates, 9)) + rng.uniform(-0.05, 0.05, (n_plates, 1))
        # 0.13 lower, so that no plate moves a recall beyond 1.
        heads.append(_predictions(rng, truth, (RECALLS - 0.13 + moved)[groups, truth], luck, 0.5))
    return DataSet(truth, groups, heads)


def _predictions(
    rng: np.random.Generator, truth: Integers, recall: np.ndarray, luck: np.ndarray, shared: float
) -> Integers:
    own = np.where(rng.random(len(truth)) < shared, luck, rng.random(len(truth)))
    return np.where(own < recall, truth, (truth + 1) % 9)


CASES: dict[str, Callable[[np.random.Generator], DataSet]] = {
    "each cell a group": partial(of_cells, shared=0.5),
    "each cell a group, similar heads": partial(of_cells, shared=0.95),
    **{f"{n} plates": partial(of_plates, n_plates=n) for n in (12, 6, 3)},
}


def false_claims(simulate: Callable[[np.random.Generator], DataSet], n_data_sets: int, draws: int) -> np.ndarray:
    """Share of data sets with one or more false claims: alone, by Bonferroni, and simultaneous."""
    rng, names = np.random.default_rng(0), np.array(CLASSES)
    found = np.zeros(3)
    for seed in range(n_data_sets):
        truth, groups, predicted = simulate(rng)
        bootstrap = GroupBootstrap(names[truth], groups, CLASSES, n_draws=draws, random_state=seed)
        heads = [names[head] for head in predicted]
        together = [one.difference for one in bootstrap.differences(heads, level=LEVEL)]
        alone = [gap.p_value < 1 - LEVEL for gap in together]
        by_bonferroni = [gap.p_value < (1 - LEVEL) / len(together) for gap in together]
        found += [any(alone), any(by_bonferroni), any(map(_excludes_zero, together))]
    return found / n_data_sets


def _excludes_zero(gap: Difference) -> bool:
    return not gap.low <= 0 <= gap.high


def rows(n_data_sets: int, draws: int) -> Iterator[str]:
    n_pairs = len(list(combinations(range(N_HEADS), 2)))
    yield f"| {N_HEADS} equal heads, {n_pairs} pairs | each alone | Bonferroni | as shown |"
    yield "|---|---|---|---|"
    for name, simulate in CASES.items():
        shares = false_claims(simulate, n_data_sets, draws)
        yield f"| {name} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=600, help="bootstrap draws")
    arguments = parser.parse_args()
    for row in rows(arguments.data_sets, arguments.draws):
        print(row, flush=True)
