"""What changed labels do to the score of each head: old labels, new labels, and without changes made after seeing it.

Changing labels where a head disagrees raises its score, whether the changes are right or not. So a third score leaves
out the samples whose label was changed after seeing a prediction. The samples that remain are easier, because the head
was wrong on those left out. The third score is therefore compared with the old labels on the same samples, and not with
the first score.
"""

from dataclasses import asdict, dataclass
from typing import Any

from cellfeat.evaluation.relabelling.judged import Judged
from cellfeat.statistics.interval_types import Difference, Interval
from cellfeat.text import counted, with_interval

FOLDS_OF_NEW_LABELS = (
    "folds are made from the new labels, so that the scores by the old ones differ a little from an earlier compare"
)


@dataclass(frozen=True)
class LabelScore:
    """Balanced accuracy by some labels.

    Attributes
    ----------
    score
        Balanced accuracy.
    interval
        Its confidence interval.
    """

    score: float
    interval: Interval

    def text(self) -> str:
        """Give the score with its interval."""
        return f"{self.score:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}]"

    def record(self) -> dict[str, float]:
        """Plain JSON values."""
        return {"balanced_accuracy": self.score, "ci_low": self.interval.low, "ci_high": self.interval.high}


@dataclass(frozen=True)
class OldAndNew:
    """Scores of one head by the old and the new labels, on the same samples and folds.

    Attributes
    ----------
    n_samples
        Samples that are scored.
    old
        By the old labels, which the head was also fitted on.
    new
        By the new labels, which the head was also fitted on.
    gain
        The score by the new labels minus that by the old ones, paired over samples.
    """

    n_samples: int
    old: LabelScore
    new: LabelScore
    gain: Difference

    def gain_text(self) -> str:
        """Give the gain with its interval."""
        return with_interval(self.gain.estimate, self.gain.low, self.gain.high, plus=True)

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "n_samples": self.n_samples,
            "old_labels": self.old.record(),
            "new_labels": self.new.record(),
            "gain": asdict(self.gain),
        }


@dataclass(frozen=True)
class HeadEffect:
    """What the changes do to the score of one head.

    Attributes
    ----------
    head
        Name of the head.
    all_samples
        Scores on all samples that have an old and a new label; None where they could not be computed.
    unseen
        Scores without the samples whose label was changed after seeing a prediction; None as above.
    why_not
        Why something is None; ``""`` where nothing is.
    """

    head: str
    all_samples: OldAndNew | None
    unseen: OldAndNew | None
    why_not: str = ""

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "head": self.head,
            "all_samples": None if self.all_samples is None else self.all_samples.record(),
            "without_changes_after_seeing": None if self.unseen is None else self.unseen.record(),
            "why_not": self.why_not,
        }


@dataclass(frozen=True)
class RelabellingEffect:
    """What a table of changes does to the scores of a comparison.

    Attributes
    ----------
    judged
        How many labels were judged, and how.
    heads
        One a head, in the order of the comparison.
    n_without_old, n_without_new
        Samples that had no label before, or have none now: they are in none of these scores.
    """

    judged: Judged
    heads: tuple[HeadEffect, ...]
    n_without_old: int
    n_without_new: int

    def summary_lines(self) -> list[str]:
        """Say what was judged, what came of it for the best head, and what the numbers do not show."""
        return [*self.judged.sentences(), *self._gains(), *self._limits()]

    def _gains(self) -> list[str]:
        best = self.heads[0] if self.heads else None
        if best is None or best.all_samples is None:
            return [f"{one.head}: {one.why_not}" for one in self.heads[:1]]
        lines = [f"{best.head} on all samples: {best.all_samples.gain_text()} by the new labels"]
        if self.judged.n_changed_seen:
            lines[0] += "; changing labels where a head disagrees raises its score by itself, right or wrong"
        if not self.judged.n_changed_seen:
            return lines
        if best.unseen is None:
            return [*lines, f"{best.head} without samples changed after seeing a prediction: {best.why_not}"]
        gain = best.unseen.gain
        found = "evidence" if gain.low > 0 or gain.high < 0 else "no evidence"
        word = "predict them worse" if gain.high < 0 else "predict them better"
        return [
            *lines,
            f"{best.head} on the {best.unseen.n_samples:,} samples that nobody changed after seeing a prediction: "
            f"{best.unseen.gain_text()}: {found} that heads fitted on the new labels {word}; report this gain",
        ]

    def _limits(self) -> list[str]:
        lines = [FOLDS_OF_NEW_LABELS]
        if self.judged.n_changed_seen:
            lines.append(
                "compare old and new labels on the same samples only: without the samples on which a head disagreed "
                "every score is higher"
            )
        if self.judged.n_changed_blind:
            lines.append(
                "blind changes stay in all of these scores: the person did not know the prediction, but samples "
                "that were chosen because a head disagreed are still a selection, and wrong labels that a head repeats "
                "are missed"
            )
        if self.n_without_old:
            lines.append(
                f"without a label before, and in none of these scores: {counted(self.n_without_old, 'sample')}"
            )
        if self.n_without_new:
            lines.append(
                f"without a label now, and in none of these scores: {counted(self.n_without_new, 'sample')}; to leave "
                "out what is hard to tell raises the score of every head by itself"
            )
        return lines

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "judged": self.judged.record(),
            "n_without_old_label": self.n_without_old,
            "n_without_new_label": self.n_without_new,
            "heads": [one.record() for one in self.heads],
            "summary": self.summary_lines(),
        }
