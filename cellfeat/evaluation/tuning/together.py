"""Candidates that a head fits together: one copy of the rows, and one pass of its solver for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellfeat.evaluation.fold_predictions.head_run import HeadRun, HeadSettings, new_head
from cellfeat.evaluation.folds.fold import Fold, FoldOutcome

CANDIDATES = "candidates"
"""Setting of a `JointRun`: the settings of its candidates."""

SCREENING = "screening"
"""Setting of a `JointRun`: whether its candidates are only ranked, to fit the best few again on more samples."""

Trial = tuple[int, float]
"""Number of a candidate, and the part of the training samples that it is fitted on."""


class JointRun:
    """Fits several candidates of one head on the same samples: what a piece computes in place of a `HeadRun`.

    Its outcomes hold the probabilities of all candidates, of shape ``(n_candidates, n_test, n_classes)``.

    Parameters
    ----------
    run
        The head on its task.
    """

    def __init__(self, run: HeadRun) -> None:
        self.run, self.head = run, run.head

    @property
    def entry(self) -> Any:
        """The entry of the head."""
        return self.run.entry

    @entry.setter
    def entry(self, entry: Any) -> None:
        self.run.entry = entry

    def compute(self, settings: Mapping[str, Any], fold: Fold) -> FoldOutcome:
        """Fit on the training part of a fold and predict its test part.

        Parameters
        ----------
        settings
            The settings of the candidates as `CANDIDATES`, and `SCREENING`.
        fold
            Any split of the task's samples.

        Raises
        ------
        HeadError
            If any candidate cannot be fitted, or gives probabilities that are not numbers.
        """
        return self.run.compute_together(settings[CANDIDATES], fold, screening=settings[SCREENING])

    def portable(self) -> "JointRun":
        """Give what another process needs."""
        return JointRun(self.run.portable())


@dataclass(frozen=True)
class Batch:
    """Candidates whose fits on one part of the samples are one piece for each inner fold.

    Attributes
    ----------
    fraction
        The part of the training samples.
    numbers
        Numbers of the candidates.
    """

    fraction: float
    numbers: tuple[int, ...]


def fitted_together(run: HeadRun, given: HeadSettings) -> frozenset[str]:
    """Settings in which candidates may differ that the head fits together; none for most heads.

    Parameters
    ----------
    run
        The head on its task.
    given
        Settings from the user.
    """
    names: frozenset[str] = getattr(new_head(run.task, run.entry, given), "fitted_together", frozenset())
    return names


def batches(
    trials: Sequence[Trial], settings: Callable[[int], Mapping[str, Any]], together: frozenset[str]
) -> list[Batch]:
    """Group the trials of a round into those that are fitted together, in order.

    Parameters
    ----------
    trials
        Candidates and parts of the samples.
    settings
        Gives the settings of a candidate.
    together
        Settings in which candidates of one batch may differ; none where each is fitted alone.
    """
    grouped: dict[Any, list[int]] = {}
    for number, fraction in trials:
        alike = repr(sorted((name, value) for name, value in settings(number).items() if name not in together))
        grouped.setdefault((fraction, alike if together else number), []).append(number)
    return [Batch(fraction, tuple(numbers)) for (fraction, _), numbers in grouped.items()]
