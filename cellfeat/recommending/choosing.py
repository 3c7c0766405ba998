"""Which recipes go on, and which one is chosen: the same rules with and without the scores of one fold.

A score that chose a recipe flatters it. So every choice is also made once for each fold without that fold's scores, and
the recipe chosen in this way predicts the fold. The score of these predictions is that of the choosing itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cellfeat.recommending.least_squares import FoldedLabels, scores_without_folds
from cellfeat.types import Floats, Integers

KEPT_SHARE = 1 / 3
LEAST_KEPT, MOST_KEPT = 4, 24
TOLERANCE = 0.005
"""The cheapest recipe is chosen whose score lies at most so far below the best one: half a percentage point."""

ALL_FOLDS = -1
"""In place of the number of a fold that is left out: none is."""

Key = TypeVar("Key")


@dataclass(frozen=True)
class Judged:
    """A recipe's predictions on some samples, and what it costs.

    Attributes
    ----------
    predicted
        Class numbers, each predicted by a head that was fitted on other folds; shape ``(n,)``.
    cost
        Work for each sample, in any unit.
    scores
        Balanced accuracy without each fold, shape ``(n_folds,)``; then that over all folds.
    """

    predicted: Integers
    cost: float
    scores: Floats

    @classmethod
    def of(cls, predicted: Integers, cost: float, labels: FoldedLabels) -> "Judged":
        """Score predictions.

        Parameters
        ----------
        predicted
            Class numbers, shape ``(n,)``.
        cost
            Work for each sample.
        labels
            Classes and folds of the samples.
        """
        return cls(predicted, cost, scores_without_folds(predicted, labels))

    def score(self, without: int = ALL_FOLDS) -> float:
        """Balanced accuracy without the scores of one fold."""
        return float(self.scores[without])


def best_first(judged: Mapping[Key, Judged], without: int = ALL_FOLDS) -> list[Key]:
    """Order recipes by their score, the cheaper one first where scores are equal.

    Parameters
    ----------
    judged
        Recipes on the same samples.
    without
        Number of the fold whose scores are left out.
    """
    return sorted(judged, key=lambda key: (-judged[key].score(without), judged[key].cost))


def front(judged: Mapping[Key, Judged], without: int = ALL_FOLDS) -> list[Key]:
    """List the recipes that no cheaper recipe equals, the cheapest first.

    Parameters
    ----------
    judged, without
        As for `best_first`.
    """
    found: list[Key] = []
    for key in sorted(judged, key=lambda key: (judged[key].cost, -judged[key].score(without))):
        if not found or judged[key].score(without) > judged[found[-1]].score(without):
            found.append(key)
    return found


def best_third(judged: Mapping[Key, Judged], without: int = ALL_FOLDS) -> list[Key]:
    """List the better third of the recipes, at least 4 and at most 24, the best first.

    Parameters
    ----------
    judged, without
        As for `best_first`.
    """
    n_kept = min(max(round(KEPT_SHARE * len(judged)), LEAST_KEPT), MOST_KEPT)
    return best_first(judged, without)[:n_kept]


def chosen(judged: Mapping[Key, Judged], without: int = ALL_FOLDS) -> Key:
    """Choose the cheapest recipe within `TOLERANCE` of the best.

    Parameters
    ----------
    judged, without
        As for `best_first`; at least one recipe.
    """
    best = max(one.score(without) for one in judged.values())
    near = {key: one for key, one in judged.items() if one.score(without) >= best - TOLERANCE}
    return min(near, key=lambda key: (near[key].cost, -near[key].score(without)))


def cross_fitted(
    judged: Mapping[Key, Judged], alive: Sequence[Sequence[Key]], labels: FoldedLabels
) -> tuple[Integers, list[Key]]:
    """Predict each fold by the recipe that is chosen without it.

    Parameters
    ----------
    judged
        The finalists, on the same samples.
    alive
        Which of them have gone on without the scores of each fold.
    labels
        Classes and folds of the samples.

    Returns
    -------
    predicted
        Class numbers, shape ``(n,)``.
    recipes
        The recipe that was chosen for each fold.
    """
    predicted = np.zeros(len(labels.codes), np.int64)
    recipes = []
    for fold, left in enumerate(alive):
        among = {key: judged[key] for key in left if key in judged} or dict(judged)
        recipe = chosen(among, fold)
        recipes.append(recipe)
        here = labels.fold == fold
        predicted[here] = judged[recipe].predicted[here]
    return predicted, recipes
