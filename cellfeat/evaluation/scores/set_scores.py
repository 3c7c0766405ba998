"""Scores of prediction sets, typed: sizes, coverage of each class, coverage within single groups."""

from dataclasses import asdict, dataclass
from typing import Any

from cellfeat.statistics.group_coverage import FEWEST_SAMPLES, GroupCoverage
from cellfeat.text import counted


@dataclass(frozen=True)
class SetSizes:
    """Sizes of prediction sets.

    Attributes
    ----------
    mean_size
        Mean number of classes in a set.
    one, several, none
        Shares of the sets that hold one class, several classes and no class.
    """

    mean_size: float
    one: float
    several: float
    none: float


@dataclass(frozen=True)
class CoverageOfGroups:
    """Coverage of prediction sets within single groups.

    Attributes
    ----------
    found
        The numbers.
    lowest_sample
        A sample of the group with the lowest coverage.
    """

    found: GroupCoverage
    lowest_sample: str

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        record = asdict(self.found)
        del record["lowest_row"]
        return {**record, "lowest_sample": self.lowest_sample}

    def line(self) -> str:
        """Say it in a line."""
        found = self.found
        return (
            f"lowest coverage within one of {found.n_groups} groups of {FEWEST_SAMPLES} samples or more: "
            f"{found.lowest:.0%} of {found.lowest_n_samples} samples (the group of {self.lowest_sample}); "
            f"{counted(found.n_below, 'group')} below the coverage, {found.expected_below:.1f} expected by chance"
        )


@dataclass(frozen=True)
class SetScores:
    """Prediction sets: how often they hold the true class, and how large they are.

    Attributes
    ----------
    coverage
        The coverage asked for.
    sizes
        Sizes of the sets.
    per_class_coverage
        Share of each class's groups whose sets hold the class, for the classes that the samples have.
    unlimited
        Classes that are always included because too few groups have them.
    per_class_coverage_per_fold
        The same shares in each fold; empty for held-out samples.
    of_groups
        Coverage within single groups; None where no group has ten samples.
    """

    coverage: float
    sizes: SetSizes
    per_class_coverage: tuple[float, ...]
    unlimited: tuple[str, ...]
    per_class_coverage_per_fold: tuple[tuple[float, ...], ...] = ()
    of_groups: CoverageOfGroups | None = None

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        per_fold = [list(fold) for fold in self.per_class_coverage_per_fold]
        return {
            "coverage": self.coverage,
            **asdict(self.sizes),
            "per_class_coverage": list(self.per_class_coverage),
            "unlimited": list(self.unlimited),
            **({"per_class_coverage_per_fold": per_fold} if per_fold else {}),
            **({} if self.of_groups is None else {"within_groups": self.of_groups.record()}),
        }
