"""L-BFGS as a generator: it asks for a loss and a gradient, so that many problems can be answered in one pass.

Nocedal and Wright (2006), "Numerical Optimization", algorithm 7.5, with a backtracking line search. The step of length
1 is tried first: with a preconditioner it is nearly always taken, so a step costs one evaluation.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cellfeat.types import Float32s

HISTORY = 10
"""Pairs of steps and changes of the gradient that are kept, as in scikit-learn and scipy."""

SUFFICIENT_DECREASE = 1e-4
"""Share of the decrease that the slope promises, which a step must reach."""

LOSS_NOISE = 1e-6
"""Relative error of a loss in float32. Within it the slope decides whether a step is taken."""

MAX_TRIALS = 20
"""Trials of one line search; the last is shorter by a factor of a million or more."""

STALLED_STEPS = 10
"""The search ends after so many steps in which the loss falls by less than its error."""

LossAndGradient: TypeAlias = tuple[float, Float32s]


@dataclass(frozen=True)
class Precision:
    """When a search ends: as soon as one of the two holds.

    Attributes
    ----------
    gradient
        No component of the gradient is larger.
    decrease
        The next step is expected to lower the loss by less: half of the gradient times the step, which is the distance
        of the loss from its minimum where the curvature is known (Boyd and Vandenberghe (2004), "Convex optimization",
        section 9.5.1). It means the same for every penalty; the gradient does not.
    """

    gradient: float
    decrease: float = 0.0


@dataclass(frozen=True)
class Minimum:
    """Where a search has ended.

    Attributes
    ----------
    point
        Of shape (n_dimensions,).
    n_iter
        Number of steps.
    converged
        Whether it ended by itself, before the maximum of steps.
    """

    point: Float32s
    n_iter: int
    converged: bool


Search: TypeAlias = Generator[Float32s, LossAndGradient, Minimum]
"""Yields points of shape (n_dimensions,), and receives the loss and the gradient there."""


def lbfgs(start: Float32s, *, max_iter: int, precision: Precision) -> Search:
    """Search for the minimum of a smooth convex function.

    Parameters
    ----------
    start
        Where to begin, of shape (n_dimensions,).
    max_iter
        Maximum number of steps.
    precision
        When the search ends.
    """
    point = start
    loss, gradient = yield point
    pairs: deque[_Pair] = deque(maxlen=HISTORY)
    recent = deque([loss], maxlen=STALLED_STEPS + 1)
    for n_iter in range(max_iter):
        if np.abs(gradient).max() <= precision.gradient or _has_stalled(recent):
            return Minimum(point, n_iter, converged=True)
        direction = -_times_inverse_curvature(gradient, pairs)
        if pairs and -float(gradient @ direction) / 2 < precision.decrease:
            return Minimum(point, n_iter, converged=True)
        taken = yield from _line_search(point, loss, gradient, direction)
        if taken is None and pairs:  # the curvature was of little use here
            pairs.clear()
            taken = yield from _line_search(point, loss, gradient, -gradient)
        if taken is None:  # the loss cannot fall by more than its error
            return Minimum(point, n_iter, converged=True)
        pair = _Pair.of(taken.point - point, taken.gradient - gradient)
        if pair is not None:
            pairs.append(pair)
        point, loss, gradient = taken.point, taken.loss, taken.gradient
        recent.append(loss)
    return Minimum(point, max_iter, converged=False)


def minimise_together(
    searches: Sequence[Search], evaluate: Callable[[Sequence[int], Float32s], Sequence[LossAndGradient]]
) -> list[Minimum]:
    """Advance several searches in step, and evaluate the points of all that still run at once.

    Parameters
    ----------
    searches
        One for each problem.
    evaluate
        Gives loss and gradient of each problem. It gets the numbers of the problems and their points, of shape
        (n_problems, n_dimensions).
    """
    found: dict[int, Minimum] = {}
    asked = {number: next(search) for number, search in enumerate(searches)}
    while asked:
        numbers = list(asked)
        answers = evaluate(numbers, np.stack([asked[number] for number in numbers]))
        for number, answer in zip(numbers, answers, strict=True):
            try:
                asked[number] = searches[number].send(answer)
            except StopIteration as ended:
                found[number] = ended.value
                del asked[number]
    return [found[number] for number in range(len(searches))]


@dataclass(frozen=True)
class _Pair:
    """A step and the change of the gradient along it."""

    step: Float32s
    change: Float32s
    product: float

    @classmethod
    def of(cls, step: Float32s, change: Float32s) -> "_Pair | None":
        """None where rounding has hidden that the loss is convex."""
        product = float(step @ change)
        return cls(step, change, product) if product > 0 else None


@dataclass(frozen=True)
class _Taken:
    """A step that was taken."""

    point: Float32s
    loss: float
    gradient: Float32s


def _times_inverse_curvature(gradient: Float32s, pairs: Sequence[_Pair]) -> Float32s:
    """The two loops of algorithm 7.4: the inverse of the approximate Hessian times the gradient."""
    direction = gradient.copy()
    shares = []
    for pair in reversed(pairs):
        shares.append(float(pair.step @ direction) / pair.product)
        direction -= np.float32(shares[-1]) * pair.change
    if pairs:
        newest = pairs[-1]
        direction *= np.float32(newest.product / float(newest.change @ newest.change))
    for pair, share in zip(pairs, reversed(shares), strict=True):
        direction += np.float32(share - float(pair.change @ direction) / pair.product) * pair.step
    return direction


def _line_search(
    point: Float32s, loss: float, gradient: Float32s, direction: Float32s
) -> Generator[Float32s, LossAndGradient, _Taken | None]:
    """Shorten a step until the loss falls enough; None where it never does."""
    slope = float(gradient @ direction)
    if not slope < 0:
        return None
    length = 1.0
    for _ in range(MAX_TRIALS):
        trial = point + np.float32(length) * direction
        trial_loss, trial_gradient = yield trial
        falls = trial_loss <= loss + SUFFICIENT_DECREASE * length * slope
        # So near the minimum the loss is only rounding. The gradient is exact enough: the slope must not be steeper.
        is_noise = trial_loss <= loss + LOSS_NOISE * abs(loss) and abs(float(trial_gradient @ direction)) < -slope
        if falls or is_noise:
            return _Taken(trial, trial_loss, trial_gradient)
        length *= _shortened(trial_loss - loss, length * slope)
    return None


def _shortened(rise: float, promised: float) -> float:
    """Factor on the length: the minimum of the parabola through both losses and the slope, within bounds."""
    if not np.isfinite(rise):
        return 0.1
    return float(np.clip(-promised / (2 * (rise - promised)), 0.1, 0.5))


def _has_stalled(recent: Sequence[float]) -> bool:
    return len(recent) > STALLED_STEPS and recent[0] - recent[-1] <= LOSS_NOISE * 0.1 * max(abs(recent[0]), 0.1)
