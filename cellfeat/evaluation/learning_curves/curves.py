"""Learning curves, typed and frozen: the scores of heads by the number of training samples."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellfeat.evaluation.learning_curves.fractions import outlook, point_before
from cellfeat.evaluation.results.head_results import HeadFailure, HeadResult
from cellfeat.evaluation.results.tables_and_figures import curve_table
from cellfeat.evaluation.task.provenance import Provenance
from cellfeat.html_text import html_block
from cellfeat.statistics.interval_types import Difference
from cellfeat.text import clean_lines, with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellfeat.figures import FigureWidth


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
        By how much the last fraction exceeds that of `point_before`, paired over samples.
    """

    head: str
    fractions: tuple[float, ...]
    n_train: tuple[int, ...]
    results: tuple[HeadResult, ...]
    gain: Difference

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.results[-1].scores.per_class.classes)

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
        before, after = self.n_train[point_before(self.n_train)], self.n_train[-1]
        gain = self.gain
        change = with_interval(gain.estimate, gain.low, gain.high, plus=True)
        return f"{self.head}: {change} from {before} to {after} samples: {outlook(gain.low > 0, before, after)}"


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
        """Table of the curves: see `cellfeat.evaluation.results.tables_and_figures.curve_table`."""
        return curve_table(self.curves)

    def plot(self, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None) -> "Figure":
        """Draw all curves.

        Parameters
        ----------
        ax
            Axes to draw into; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.
        """
        from cellfeat.evaluation.figures.curves import draw_curves

        return draw_curves(self.curves, ax, width=width)

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
            "provenance": self.provenance.record(),
            "curves": [curve.record() for curve in self.curves],
            "failures": [asdict(failure) for failure in self.failures],
        }
