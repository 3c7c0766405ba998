"""Results in Python: tables, figures, and what a notebook shows. Base classes of the results themselves.

Figures load matplotlib when they are drawn, so that a comparison without figures does not.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pandas as pd

from cellfeat.errors import UnknownNameError
from cellfeat.evaluation.scores.differences import HeadDifference
from cellfeat.evaluation.scores.head_scores import Scores
from cellfeat.html_text import html_block
from cellfeat.statistics.interval_types import Difference
from cellfeat.text import clean_lines, clean_text, first_ten, near_names, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellfeat.evaluation.figures.drawn import Curve
    from cellfeat.figures import FigureWidth


class ShowsHead:
    """Tables and figures of one head's scores."""

    head: str
    scores: Scores

    def per_class_table(self) -> pd.DataFrame:
        """Table of the classes, one a row.

        The columns are ``head, class, n_samples, recall, low, high``, and ``confused_with`` with its ``share``: the
        class that its samples are most often taken for.
        """
        return pd.DataFrame(list(_class_rows(self.head, self.scores)))

    def tuning_table(self) -> pd.DataFrame:
        """Table of what tuning chose, one fold a row: ``head, fold, score, given_score`` and the settings; or empty."""
        tuning = self.scores.tuning
        return pd.DataFrame(
            [
                {"head": self.head, "fold": fold, "score": one.score, "given_score": one.given_score, **one.settings}
                for fold, one in enumerate(tuning.per_fold if tuning else (), start=1)
            ]
        )

    def plot_confusion(self, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None) -> "Figure":
        """Draw the confusion matrix.

        Parameters
        ----------
        ax
            Axes to draw into; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.
        """
        from cellfeat.evaluation.figures.confusion import draw_confusion

        return draw_confusion(self, ax, width=width)

    def plot_recalls(self, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None) -> "Figure":
        """Draw the recall of each class.

        Parameters
        ----------
        ax
            Axes to draw into; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.
        """
        from cellfeat.evaluation.figures.recalls import draw_recalls

        return draw_recalls([self], ax, width=width)

    def plot_reliability(self, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None) -> "Figure":
        """Draw how often the head is right when it is how sure.

        Parameters
        ----------
        ax
            Axes to draw into; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.
        """
        from cellfeat.evaluation.figures.reliability import draw_reliability

        return draw_reliability([self], ax, width=width)

    def line(self) -> str:
        """Give the balanced accuracy and its interval in a line."""
        return f"{self.head}: balanced accuracy {self.score()}"

    def score(self) -> str:
        """Give the balanced accuracy and its interval in text."""
        low, high = self.scores.overall.interval
        return f"{self.scores.overall.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"

    def __repr__(self) -> str:
        n_samples, n_classes = self.scores.per_class.confusion.sum(), len(self.scores.per_class.classes)
        return f"<{type(self).__name__} {self.line()}; {n_samples:,} samples, {n_classes} classes>"

    def __str__(self) -> str:
        table = self.per_class_table().drop(columns="head").round(3)
        table["class"], table["confused_with"] = table["class"].map(shorten), table["confused_with"].map(shorten)
        return clean_lines(f"{self.line()}\n{table.to_string(index=False)}")

    def _repr_html_(self) -> str:
        return self._html([self.line()])

    def _html(self, lines: Sequence[str]) -> str:
        """Lines, and the classes with the lowest recall first."""
        table = self.per_class_table().drop(columns=["head", "share"]).sort_values("recall", kind="stable")
        table["class"], table["confused_with"] = table["class"].map(shorten), table["confused_with"].map(shorten)
        return html_block(lines, list(table.columns), table.to_numpy(object).tolist())


def _class_rows(head: str, scores: Scores) -> Iterator[dict[str, Any]]:
    found = scores.per_class
    predicted = [*found.classes, *found.absent]
    for number, name in enumerate(found.classes):
        counts = found.confusion[number].copy()
        n_samples, counts[number] = int(counts.sum()), 0
        low, high = found.recall_intervals[number].tolist()
        yield {
            "head": head,
            "class": name,
            "n_samples": n_samples,
            "recall": float(found.recall[number]),
            "low": low,
            "high": high,
            "confused_with": predicted[int(counts.argmax())] if counts.any() else "",
            "share": float(counts.max() / n_samples) if n_samples else 0.0,
        }


def chance_lines(results: Sequence[ShowsHead]) -> list[str]:
    """Name heads whose score is not shown to exceed that of guessing, except `dummy`, which guesses.

    Parameters
    ----------
    results
        Results on the same classes.
    """
    weak = [one for one in results if one.head != "dummy" and one.scores.overall.interval.low <= _chance(one)]
    if not weak:
        return []
    named = first_ten(clean_text(one.head) for one in weak)
    return [f"no evidence that {named} does better than chance, {_chance(weak[0]):.3f}"]


def _chance(result: ShowsHead) -> float:
    return 1 / len(result.scores.per_class.classes)


def curve_table(curves: "Sequence[Curve]") -> pd.DataFrame:
    """Table of curves, one row a head and fraction: ``head, fraction, n_train, balanced_accuracy, ci_low, ci_high``."""
    return pd.DataFrame([{"head": curve.head} | point for curve in curves for point in curve.points()])


Head = TypeVar("Head", bound=ShowsHead)


class ShowsHeads(Generic[Head]):
    """Tables and figures of several heads on the same samples, the best first."""

    results: tuple[Head, ...]

    def __contains__(self, head: object) -> bool:
        """Whether there is a result of this name."""
        return any(result.head == head for result in self.results)

    def _ipython_key_completions_(self) -> list[str]:
        """Names that a notebook completes."""
        return [result.head for result in self.results]

    def __getitem__(self, head: str) -> Head:
        """Give the result of one head by its name.

        Raises
        ------
        UnknownNameError
            If there is no result of this name.
        """
        by_name = {result.head: result for result in self.results}
        if head not in by_name:
            raise UnknownNameError(f"no result of a head {head!r}; {near_names(str(head), by_name)}")
        return by_name[head]

    def __iter__(self) -> Iterator[Head]:
        """Give each result, the best head first."""
        return iter(self.results)

    def __len__(self) -> int:
        """Give the number of results."""
        return len(self.results)

    def per_class_table(self) -> pd.DataFrame:
        """Table of every class of every head: the rows of `ShowsHead.per_class_table`, one head after the other."""
        return pd.concat([result.per_class_table() for result in self.results], ignore_index=True)

    def tuning_table(self) -> pd.DataFrame:
        """Table of what tuning chose for each head and fold; empty where nothing was tuned."""
        return pd.concat([result.tuning_table() for result in self.results], ignore_index=True)

    def plot_confusion(
        self, head: str | None = None, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None
    ) -> "Figure":
        """Draw the confusion matrix of one head.

        Parameters
        ----------
        head
            Its name; None takes the best head.
        ax
            Axes to draw into; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.

        Raises
        ------
        UnknownNameError
            If there is no result of this name.
        """
        return self._one(head).plot_confusion(ax, width=width)

    def differences_to_best(self) -> list[HeadDifference]:
        """The pairs of the best head with each other head, where heads were compared with each other."""
        return []

    def plot_heads(self, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None) -> "Figure":
        """Draw the balanced accuracy of each head with its interval, and the verdict beside it.

        Parameters
        ----------
        ax
            Axes to draw into; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.
        """
        from cellfeat.evaluation.figures.heads import draw_heads

        return draw_heads(self.results, self.differences_to_best(), ax, width=width)

    def plot_recalls(self, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None) -> "Figure":
        """Draw each class's recall, all heads side by side.

        Parameters
        ----------
        ax
            Axes to draw into; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.
        """
        from cellfeat.evaluation.figures.recalls import draw_recalls

        return draw_recalls(self.results, ax, width=width)

    def plot_reliability(
        self, head: str | None = None, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None
    ) -> "Figure":
        """Draw how often heads are right when they are how sure, before and after calibration.

        Parameters
        ----------
        head
            Its name; None draws a panel for each head, and the best head alone into axes that are given.
        ax
            Axes to draw into, without the samples of each bin; None makes a figure.
        width
            Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.

        Raises
        ------
        UnknownNameError
            If there is no result of this name.
        """
        from cellfeat.evaluation.figures.reliability import draw_reliability

        return draw_reliability(self.results if head is None else [self[head]], ax, width=width)

    def _one(self, head: str | None) -> Head:
        return self.results[0] if head is None else self[head]


def heads_table(results: Sequence[tuple[ShowsHead, float]], to_best: Sequence[HeadDifference]) -> pd.DataFrame:
    """Table of heads, best first: scores, the class with the lowest recall, and the difference to the best.

    Parameters
    ----------
    results
        Each head and its seconds.
    to_best
        The difference of each head to the best one.
    """
    pair_of = {pair.worse: pair for pair in to_best}
    return pd.DataFrame([_head_row(result, seconds, pair_of.get(result.head)) for result, seconds in results])


def _head_row(result: ShowsHead, seconds: float, pair: HeadDifference | None) -> dict[str, Any]:
    overall, per_class = result.scores.overall, result.scores.per_class
    worst = int(np.argmin(per_class.recall))
    gap = pair.difference if pair else Difference(np.nan, np.nan, np.nan, np.nan)
    return {
        "head": result.head,
        "balanced_accuracy": overall.balanced_accuracy,
        "low": overall.interval.low,
        "high": overall.interval.high,
        "worst_class": per_class.classes[worst],
        "worst_recall": float(per_class.recall[worst]),
        "seconds": seconds,
        "difference": gap.estimate,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "verdict": "best" if pair is None else "worse" if pair.is_evidence else "no evidence",
    }
