"""Successive halving: many settings on a part of the training samples, the best few on all of them [1]_.

References
----------
.. [1] K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
   2016.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

STEP = 3
"""From rung to rung, samples grow by this factor and candidates shrink by it."""

FINALISTS = 3
"""About so many candidates are fitted on all training samples, in addition to the given settings."""

FEWEST_SAMPLES = 1000
"""No rung has fewer training samples, unless there are no more: fewer would say little about the best on all."""


@dataclass(frozen=True)
class Rung:
    """A round of the search.

    Attributes
    ----------
    fraction
        Part of the training samples of each inner fold, in (0, 1].
    n_candidates
        Candidates fitted on it, not counting the given settings.
    """

    fraction: float
    n_candidates: int


@dataclass(frozen=True)
class SearchPlan:
    """The fits of a search in one training part.

    Attributes
    ----------
    n_folds
        Inner folds.
    n_train
        Training samples of an inner fold.
    rungs
        Rounds, in order.
    """

    n_folds: int
    n_train: int
    rungs: tuple[Rung, ...]

    @property
    def n_fits(self) -> int:
        """Fits, including those of the given settings."""
        return self.n_folds * (1 + sum(rung.n_candidates for rung in self.rungs))

    @property
    def work(self) -> float:
        """The same work, counted in fits on all training samples of an inner fold."""
        return self.n_folds * (1 + sum(rung.n_candidates * rung.fraction for rung in self.rungs))


def candidates(
    space: Mapping[str, Sequence[Any]], given: Mapping[str, Any], n_candidates: int, random_state: int
) -> list[dict[str, Any]]:
    """Draw settings without repetition, each as its difference from the given ones.

    Parameters
    ----------
    space
        Values worth trying, by setting.
    given
        Every setting of the head before tuning.
    n_candidates
        How many, including the given settings; fewer where the space has no more. Given settings that are none of the
        space, such as ``C: auto``, are one more.
    random_state
        Seed of the drawing.

    Returns
    -------
    list of dict
        The first is empty: the given settings.

    Examples
    --------
    >>> candidates({"C": [0.01, 0.1]}, {"C": 0.01, "max_iter": 100}, 5, 0)
    [{}, {'C': 0.1}]
    >>> candidates({"C": [0.01, 0.1]}, {"C": "auto", "max_iter": 100}, 2, 0)
    [{}, {'C': 0.01}, {'C': 0.1}]
    """
    shape = [len(values) for values in space.values()]
    size = math.prod(shape)
    is_one_more = n_candidates > 1 and any(given[name] not in values for name, values in space.items())
    n_drawn = min(n_candidates, size)
    drawn = np.random.default_rng(random_state).choice(size, n_drawn, replace=False) if n_drawn < size else range(size)
    found: list[dict[str, Any]] = [{}]
    for number in drawn:
        # The number of a combination stands for one place in the list of each setting.
        places = np.unravel_index(number, shape)
        settings = {name: values[place] for (name, values), place in zip(space.items(), places, strict=True)}
        changed = {name: value for name, value in settings.items() if value != given[name]}
        if changed and len(found) < n_candidates + is_one_more:
            found.append(changed)
    return found


def rungs(n_candidates: int, n_train: int) -> list[Rung]:
    """Plan rounds of about equal cost, until some `FINALISTS` candidates are left for all training samples.

    Parameters
    ----------
    n_candidates
        Candidates, not counting the given settings.
    n_train
        Training samples of an inner fold.

    Examples
    --------
    >>> [(round(rung.fraction, 2), rung.n_candidates) for rung in rungs(26, 20_000)]
    [(0.11, 26), (0.33, 9), (1.0, 3)]
    """
    n_steps = max(0, round(math.log(max(n_candidates, 1) / FINALISTS, STEP)))
    wanted = [float(STEP) ** -step for step in range(n_steps, 0, -1)]
    fractions = [fraction for fraction in wanted if fraction * n_train >= FEWEST_SAMPLES] + [1.0]
    plan, n_left = [], n_candidates
    for fraction, following in pairwise(fractions):
        plan.append(Rung(fraction, n_left))
        # The small number keeps rounding from adding a candidate.
        n_left = min(n_left, max(FINALISTS, math.ceil(n_left * fraction / following - 1e-9)))
    return [*plan, Rung(1.0, n_left)]
