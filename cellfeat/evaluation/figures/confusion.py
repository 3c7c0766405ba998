"""The confusion matrix of one head."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cellfeat.evaluation.figures.drawn import Scored
from cellfeat.figures.names import lettering
from cellfeat.figures.style import axes_for, figure_of

MOST_WITH_SHARES = 15
"""Classes up to which cells show count and share; with more they show the count, and the colour the share."""

MOST_WITH_COUNTS = 60
"""Classes up to which cells show the count."""


def draw_confusion(scored: Scored, axes: Axes | None = None) -> Figure:
    """Draw a confusion matrix: rows are the truth; colour is the share of the row; cells show count and share.

    Parameters
    ----------
    scored
        The head.
    axes
        Where to draw; None makes a figure.
    """
    per_class = scored.scores.per_class
    predicted = [*per_class.classes, *per_class.absent]
    with lettering([scored.head, *predicted]) as shown:
        return _draw(axes, per_class.confusion, shown(predicted), _title(scored, shown([scored.head])[0]))


def _title(scored: Scored, head: str) -> str:
    overall = scored.scores.overall
    n_samples = scored.scores.per_class.confusion.sum()
    score = f"{overall.balanced_accuracy:.3f} [{overall.interval.low:.3f}, {overall.interval.high:.3f}]"
    return f"{head}, {n_samples:,} samples\nbalanced accuracy {score}"


def _draw(axes: Axes | None, counts: NDArray[np.integer], names: Sequence[str], title: str) -> Figure:
    """Draw counts of shape ``(n_classes, n_predicted)``; the names of the classes come first."""
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, np.newaxis]
    has_shares = len(names) <= MOST_WITH_SHARES
    side = 2.2 + (0.62 if has_shares else 0.42) * len(names)
    axes = axes_for(axes, side + 1.2, side, layout="compressed")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(totals)), [f"{name}\nn = {n:,}" for name, n in zip(names, totals, strict=False)])
    if len(names) <= MOST_WITH_COUNTS:
        _annotate(axes, counts, shares, has_shares=has_shares)
    axes.set(xlabel="predicted class", ylabel="true class, n samples")
    axes.set_title(title, loc="left", fontsize=10)
    figure = figure_of(axes)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046, pad=0.02)
    return figure


def _annotate(axes: Axes, counts: NDArray[np.integer], shares: NDArray[np.floating], *, has_shares: bool) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            share = float(shares[row, column])
            axes.text(
                column, row, f"{count}\n{_percent(share)}" if has_shares else f"{count}",
                ha="center", va="center", fontsize=7.5, color="white" if share > 0.55 else "black",
            )  # fmt: skip


def _percent(share: float) -> str:
    rounded = f"{share:.0%}"
    return "<1%" if rounded == "0%" else rounded
