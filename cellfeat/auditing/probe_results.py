"""What the shortcut probes score, and which of them tell the class."""

from collections.abc import Mapping
from dataclasses import dataclass

from cellfeat.statistics.interval_types import Interval

_TELLS = {
    "file properties": "file properties alone tell",
    "names and order": "names and order alone tell",
    "position": "the position alone tells",
    "border": "the border alone tells",
    "intensity statistics": "intensity statistics alone tell",
}

LEAST_GAIN = 0.1
"""A probe tells the class only from this share of the way from chance to a perfect score on.

Among thousands of samples, scores that are too low to matter have intervals above chance.
"""


@dataclass(frozen=True)
class ProbeScore:
    """A balanced accuracy with its interval.

    Attributes
    ----------
    name
        The probe, or the head.
    balanced_accuracy
        Over all classes, pooled over the folds.
    interval
        Its confidence interval, from whole groups.
    """

    name: str
    balanced_accuracy: float
    interval: Interval

    def describe(self) -> str:
        """Give the score and its interval in text."""
        return f"{self.balanced_accuracy:.2f} [{self.interval.low:.2f}, {self.interval.high:.2f}]"


@dataclass(frozen=True)
class Probe(ProbeScore):
    """What one probe scores.

    Attributes
    ----------
    source
        Where most of the score comes from: a property, a channel, a part of the names.
    is_shortcut
        Whether the probe should not tell the class at all. Intensities may differ between cells, and so may a border
        that cells reach.
    meaning
        What it can mean if the probe tells the class.
    """

    source: str
    is_shortcut: bool
    meaning: str


@dataclass(frozen=True)
class Probes:
    """What the probes score, beside a head.

    Attributes
    ----------
    scores
        Of each probe that could be tried.
    left_out
        Why other probes could not be tried, by name.
    chance
        The score of guessing: one over the number of classes.
    level
        Confidence level of the interval of each probe, high because there are several.
    head
        Score of a head on the embeddings, on the same folds, with an interval of 95 %; None where there is none.
    """

    scores: tuple[Probe, ...]
    left_out: Mapping[str, str]
    chance: float
    level: float
    head: ProbeScore | None = None

    @property
    def least(self) -> float:
        """The lowest score that is more than a trifle: `LEAST_GAIN` of the way from chance to 1."""
        return self.chance + LEAST_GAIN * (1 - self.chance)

    @property
    def telling(self) -> tuple[Probe, ...]:
        """The probes that tell the class: their interval lies above chance, and their score is not below `least`."""
        return tuple(
            one for one in self.scores if one.interval.low > self.chance and one.balanced_accuracy >= self.least
        )

    def sentence(self, probe: Probe) -> str:
        """Say that a probe tells the class, how well, and what it can mean."""
        head = f", and {self.head.name} scores {self.head.describe()}" if self.head else ""
        return (
            f"{_TELLS[probe.name]} the class: {probe.describe()}, mostly from {probe.source}; "
            f"chance is {self.chance:.2f}{head}; {probe.meaning}"
        )
