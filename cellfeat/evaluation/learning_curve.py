"""Learning curves: heads fitted on growing parts of the training samples, each scored on the same test parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellfeat.errors import ConfigError, HeadError
from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.compare import check_heads
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.each_head import each_head
from cellfeat.evaluation.folds import Fold, thinned_rows
from cellfeat.evaluation.head_run import HeadSettings
from cellfeat.evaluation.hooks import SILENT, Hooks, Say, ignore_line
from cellfeat.evaluation.inputs import check_forms, resolved
from cellfeat.evaluation.results import HeadFailure, HeadResult, Provenance
from cellfeat.evaluation.scoring.score import evaluate
from cellfeat.evaluation.task import Task, prepare
from cellfeat.extraction.store import Features, Given
from cellfeat.heads.registry import Head, head_of
from cellfeat.heads.scikit_learn.given import Headlike, chosen_heads
from cellfeat.html_text import html_block
from cellfeat.statistics.interval_types import LEVEL, Difference
from cellfeat.text import clean_lines, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LearningCurve:
    """One head's scores by the part of the training samples that it was fitted on.

    Attributes
    ----------
    head
        Name of the head.
    fractions
        Parts of the training samples, ascending.
    n_train
        Training samples at each fraction, averaged over the folds.
    results
        The result at each fraction.
    gain
        By how much the last fraction exceeds the one before it, paired over samples.
    """

    head: str
    fractions: tuple[float, ...]
    n_train: tuple[int, ...]
    results: tuple[HeadResult, ...]
    gain: Difference

    def points(self) -> list[dict[str, Any]]:
        """Fraction, training samples, balanced accuracy and its interval of each point."""
        points = zip(self.fractions, self.n_train, (result.scores.overall for result in self.results), strict=True)
        return [
            {
                "fraction": fraction,
                "n_train": n_train,
                "balanced_accuracy": overall.balanced_accuracy,
                "ci_low": overall.interval.low,
                "ci_high": overall.interval.high,
            }
            for fraction, n_train, overall in points
        ]

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "head": self.head,
            "points": self.points(),
            "gain": asdict(self.gain),
            "verdict": self.verdict(),
        }

    def verdict(self) -> str:
        """Say in words whether more samples are likely to help."""
        before, after = self.n_train[-2:]
        gain = self.gain
        change = with_interval(gain.estimate, gain.low, gain.high, plus=True)
        step = f"{change} from {before} to {after} samples"
        if gain.low > 0:
            return f"{self.head}: {step}: still rising, more samples are likely to help"
        return f"{self.head}: {step}: no evidence that more samples would help"


@dataclass(frozen=True, repr=False)
class LearningCurves:
    """Learning curves of several heads.

    Attributes
    ----------
    provenance
        Which samples and groups they were computed on.
    curves
        Of the heads that could be evaluated at every fraction.
    failures
        The other heads.
    is_complete
        Whether every head was evaluated; False after Ctrl-C.
    """

    provenance: Provenance
    curves: tuple[LearningCurve, ...]
    failures: tuple[HeadFailure, ...] = ()
    is_complete: bool = True

    def table(self) -> pd.DataFrame:
        """Table of the curves: see `curve_table`."""
        return curve_table(self.curves)

    def plot(self, ax: "Axes | None" = None) -> "Figure":
        """Draw all curves, into the axes that are given or into a figure of its own."""
        from cellfeat.evaluation.figures.curves import draw_curves

        return draw_curves(self.curves, ax)

    def verdicts(self) -> list[str]:
        """Say of each head whether more samples are likely to help it."""
        return [curve.verdict() for curve in self.curves]

    def __repr__(self) -> str:
        heads = ", ".join(curve.head for curve in self.curves)
        sizes = ", ".join(map(str, self.curves[0].n_train)) if self.curves else "no"
        return f"<LearningCurves of {heads} on {sizes} training samples>"

    def __str__(self) -> str:
        lines = [self._short_table().to_string(index=False), *self.verdicts()]
        return clean_lines("\n".join([*lines, *(failure.reason for failure in self.failures)]))

    def _repr_html_(self) -> str:
        table = self._short_table()
        return html_block(self.verdicts(), list(table.columns), table.to_numpy(object).tolist())

    def _short_table(self) -> pd.DataFrame:
        """A row for each head and a column for each number of training samples."""
        return pd.DataFrame(
            [
                {"head": curve.head}
                | {
                    f"{n_train} samples": result.score()
                    for n_train, result in zip(curve.n_train, curve.results, strict=True)
                }
                for curve in self.curves
            ]
        )

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "provenance": asdict(self.provenance),
            "curves": [curve.record() for curve in self.curves],
            "failures": [asdict(failure) for failure in self.failures],
        }


def learning_curves(
    features: Features | Path | str,
    heads: Sequence[Headlike] | Mapping[str, Any],
    fractions: Sequence[float] = (0.1, 0.25, 0.5, 1.0),
    *,
    design: Design | None = None,
    settings: Mapping[str, HeadSettings] | None = None,
    labels: Given | None = None,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
) -> LearningCurves:
    """Fit heads on growing parts of the training samples, to see whether more samples would help.

    The test parts stay whole, and whole groups are taken. Settings are used as given: nothing is tuned.

    Parameters
    ----------
    features, heads
        As for `cellfeat.compare`.
    fractions
        Parts of the training samples: two or more numbers above 0 and at most 1.
    design, settings, labels, cache
        As for `cellfeat.compare`.
    hooks
        `say` receives which head is evaluated, and remarks.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    UnknownNameError, HeadError, ManifestError, SplitError
        As `cellfeat.compare`.

    Examples
    --------
    >>> curves = cellfeat.learning_curves(features, ["logreg"])  # doctest: +SKIP
    >>> curves.plot().savefig("curves.pdf")  # doctest: +SKIP
    """
    check_forms(features, design)
    check_fractions(fractions)
    entries, settings = chosen_heads(heads), settings or {}
    check_heads(entries, settings)
    features, design = resolved(features, design)
    task = prepare(features, replace(design, tune=0), labels=labels, say=hooks.say)
    return learning_curves_on(task, entries, settings, fractions, cache=cache, say=hooks.say)


def learning_curves_on(
    task: Task,
    heads: Sequence[str | Head],
    settings: Mapping[str, HeadSettings],
    fractions: Sequence[float],
    *,
    cache: FoldCache | None = None,
    say: Say = ignore_line,
) -> LearningCurves:
    """Make the learning curves of heads on a prepared task; a head that fails does not stop the others.

    Parameters
    ----------
    task
        Samples and folds.
    heads
        Names from `HEADS`, or entries.
    settings
        Parameters by head.
    fractions, cache
        As for `learning_curve`.
    say
        Receives which head is evaluated, and which failed.

    Returns
    -------
    LearningCurves
        After Ctrl-C, the curves that were finished.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    HeadError
        If no head has a curve.
    """

    entries = {entry.name: entry for entry in map(head_of, heads)}

    def curve_of(name: str) -> LearningCurve:
        say(f"learning curve of {name}")
        return learning_curve(task, entries[name], settings.get(name, {}), fractions, cache=cache)

    def report(outcome: LearningCurve | HeadFailure) -> None:
        if isinstance(outcome, HeadFailure):
            say(outcome.reason)

    finished = each_head(list(entries), curve_of, report)
    return LearningCurves(task.provenance, finished.results, finished.failures, finished.is_complete)


def learning_curve(
    task: Task,
    head: str | Head,
    settings: HeadSettings,
    fractions: Sequence[float],
    *,
    cache: FoldCache | None = None,
) -> LearningCurve:
    """Evaluate a head on parts of each fold's training samples; the test parts stay whole.

    Whole groups are taken, class by class, and a larger part contains every smaller one.

    Parameters
    ----------
    task
        Samples and folds.
    head
        Name from `HEADS`, or an entry.
    settings
        Its parameters.
    fractions
        Two or more, above 0 and at most 1.
    cache
        Stores the predictions of each fold and reuses them. None computes all of them.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    HeadError
        If the head fails in a fold; the message names the fraction.
    """
    ascending = check_fractions(fractions)
    parts = [task.with_folds(tuple(_thinned(task, fraction))) for fraction in ascending]
    results: list[HeadResult] = []
    for fraction, part in zip(ascending, parts, strict=True):
        try:
            results.append(evaluate(part, head, settings, cache=cache))
        except HeadError as error:
            raise HeadError(f"at {fraction:g} of the training samples, {error}") from error
    predicted = [result.predictions["predicted"] for result in results]
    return LearningCurve(
        head=head_of(head).name,
        fractions=ascending,
        n_train=tuple(round(np.mean([len(fold.train) for fold in part.folds])) for part in parts),
        results=tuple(results),
        gain=task.tested.bootstrap.difference(predicted[-1], predicted[-2], level=LEVEL),
    )


def check_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    """Sort fractions, and refuse invalid ones.

    Raises
    ------
    ConfigError
        If there are fewer than two different ones, or one is not above 0 and at most 1.
    """
    ascending = tuple(sorted(set(fractions)))
    if len(ascending) < 2 or not all(0 < fraction <= 1 for fraction in ascending):
        raise ConfigError(
            f"fractions: expected two or more numbers above 0 and at most 1, got {list(fractions)}; "
            "for example: 0.1,0.25,0.5,1"
        )
    return ascending


def curve_table(curves: Sequence[LearningCurve]) -> pd.DataFrame:
    """Table of curves, one row a head and fraction: ``head, fraction, n_train, balanced_accuracy, ci_low, ci_high``."""
    return pd.DataFrame([{"head": curve.head} | point for curve in curves for point in curve.points()])


def _thinned(task: Task, fraction: float) -> Iterator[Fold]:
    for number, fold in enumerate(task.folds):
        # The same generator at every fraction, so that each takes the first groups of one order.
        rng = np.random.default_rng([task.design.random_state, number])
        yield replace(fold, train=thinned_rows(fold.train, task.y, task.groups, fraction, rng))
