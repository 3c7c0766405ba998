"""The result of a recommendation: the recipe, what it scores and costs, and what it was compared with."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from cellfeat.config import Settings
from cellfeat.config_sources import override_settings
from cellfeat.recommending.recipes import Recipe
from cellfeat.statistics.interval_types import Difference, Interval
from cellfeat.text import counted, with_interval


@dataclass(frozen=True)
class Candidate:
    """A recipe that was tried.

    Attributes
    ----------
    recipe
        The recipe.
    n_samples
        Number of samples of its last round.
    score
        Balanced accuracy on them, cross-validated.
    interval, difference
        Interval of the score, and the paired difference to the baseline; None where its last round was not the final
        one, or no interval can be computed.
    seconds
        Expected seconds for all samples of the data set.
    is_on_front
        Whether no finalist is as good and faster.
    ended
        Why it was not tried further; empty for finalists.
    """

    recipe: Recipe
    n_samples: int
    score: float
    interval: Interval | None
    difference: Difference | None
    seconds: float
    is_on_front: bool = False
    ended: str = ""

    @property
    def is_finalist(self) -> bool:
        """Whether it was tried on all samples of the comparison."""
        return not self.ended


@dataclass(frozen=True, repr=False)
class Recommendation:
    """The recipe that is recommended, with the reasons.

    Attributes
    ----------
    chosen
        The recipe.
    baseline
        The recipe of the settings as they were given.
    candidates
        All recipes that were tried, finalists first, the best first.
    untried
        Recipes that were never tried, and why.
    honest_score, honest_interval, honest_difference
        Score of the choosing itself: each fold predicted by the recipe chosen without it; its interval, and the paired
        difference to the baseline. None where no interval can be computed.
    chosen_in_folds
        How often each recipe was chosen without a fold.
    n_compared, n_groups, n_folds, n_classes
        The samples of the final comparison.
    n_with_baseline
        The samples of the difference to the baseline; fewer where it takes long.
    n_samples
        Number of samples of the data set.
    extraction_seconds
        Expected seconds of the whole extraction with the chosen recipe.
    settings
        The settings with the chosen recipe.
    seconds, budget
        What the comparison took, and could take.
    seed
        The seed.
    is_interrupted
        Whether the user ended it early.
    random_networks
        Networks that were compared with random weights.
    """

    chosen: Recipe
    baseline: Recipe
    candidates: tuple[Candidate, ...]
    untried: Mapping[Recipe, str]
    honest_score: float
    honest_interval: Interval | None
    honest_difference: Difference | None
    chosen_in_folds: Mapping[Recipe, int]
    n_compared: int
    n_with_baseline: int
    n_groups: int
    n_folds: int
    n_classes: int
    n_samples: int
    extraction_seconds: float
    settings: Settings
    seconds: float
    budget: float
    seed: int
    is_interrupted: bool = False
    random_networks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Recommendation: {self.chosen}; {self.honest_score:.3f} balanced accuracy>"

    def candidate(self, recipe: Recipe) -> Candidate | None:
        """The entry of a recipe; None where it was not tried."""
        return next((one for one in self.candidates if one.recipe == recipe), None)

    @property
    def recommended(self) -> Candidate:
        """The entry of the chosen recipe."""
        return next(one for one in self.candidates if one.recipe == self.chosen)

    @property
    def finalists(self) -> list[Candidate]:
        """The recipes that were tried on all samples of the comparison, the best first."""
        return [one for one in self.candidates if one.is_finalist]

    @property
    def best(self) -> Candidate:
        """The finalist with the highest score."""
        return self.finalists[0]

    def table(self) -> pd.DataFrame:
        """Give one row for each recipe that was tried, the finalists first."""
        return pd.DataFrame([self._row(one) for one in self.candidates])

    def _row(self, one: Candidate) -> dict[str, Any]:
        low, high = one.interval or (None, None)
        gap = one.difference
        source = one.recipe.source
        return {
            "backbone": source.backbone,
            "pool": one.recipe.pool,
            "input_size": source.input_size,
            "crop": source.crop,
            "channels_as": one.recipe.channels_as,
            "views": one.recipe.views,
            "n_samples": one.n_samples,
            "balanced_accuracy": one.score,
            "low": low,
            "high": high,
            "difference": gap.estimate if gap else None,
            "difference_low": gap.low if gap else None,
            "difference_high": gap.high if gap else None,
            "seconds_all_samples": one.seconds,
            "on_front": one.is_on_front,
            "chosen": one.recipe == self.chosen,
            "baseline": one.recipe == self.baseline,
            "ended": one.ended,
        }

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "chosen": self.chosen.overrides(),
            "baseline": self.baseline.overrides(),
            "honest_score": self.honest_score,
            "honest_interval": None if self.honest_interval is None else list(self.honest_interval),
            "honest_difference": None if self.honest_difference is None else asdict(self.honest_difference),
            "chosen_in_folds": [{**recipe.overrides(), "folds": n} for recipe, n in self.chosen_in_folds.items()],
            "n_compared": self.n_compared,
            "n_with_baseline": self.n_with_baseline,
            "n_groups": self.n_groups,
            "n_folds": self.n_folds,
            "n_classes": self.n_classes,
            "n_samples": self.n_samples,
            "extraction_seconds": self.extraction_seconds,
            "seconds": self.seconds,
            "budget": self.budget,
            "seed": self.seed,
            "is_interrupted": self.is_interrupted,
            "random_networks": list(self.random_networks),
            "recipes": [self._row(one) for one in self.candidates],
            "untried": [{**recipe.overrides(), "reason": reason} for recipe, reason in self.untried.items()],
        }

    def lines(self) -> Iterator[str]:
        """Say what is recommended, what it scores, and what it costs."""
        yield f"recommended: {self.chosen}"
        if self.is_interrupted:
            yield "interrupted: of what was compared so far"
        yield self.score_line()
        yield f"extracting all {self.n_samples:,} samples takes some {duration(self.extraction_seconds)} here"
        yield from self._others()
        if self.random_networks:
            yield f"with random weights, as asked for: {', '.join(self.random_networks)}"
        if self.chosen.source.backbone in self.random_networks:
            yield (
                f"the recommended {self.chosen.source.backbone} has random weights, which extract does not take: name "
                "real ones with --backbone NAME=FILE"
            )
        if self.untried:
            yield untried_line(self.untried)

    def score_line(self) -> str:
        """Say what choosing in this way scores, and whether that is better than the baseline."""
        gap, interval = self.honest_difference, self.honest_interval
        text = f"{self.honest_score:.3f}" if interval is None else with_interval(self.honest_score, *interval)
        told = (
            "balanced accuracy of a quick linear head (those of compare may score otherwise), chosen without the "
            f"samples that it is scored on: {text}, on {counted(self.n_compared, 'sample')} in "
            f"{counted(self.n_groups, 'group')}, {self.n_folds} folds"
        )
        if self.chosen == self.baseline:
            return f"{told}; the recipe of your settings is kept"
        if gap is None:
            return f"{told}; there was no time to compare it with your settings ({self.baseline})"
        numbers = with_interval(gap.estimate, gap.low, gap.high, plus=True)
        verdict = "better than your settings" if gap.low > 0 else "no evidence of a difference from your settings"
        fewer = f", on {self.n_with_baseline:,} of the samples" if self.n_with_baseline < self.n_compared else ""
        return f"{told}; {verdict} ({self.baseline}): {numbers}{fewer}"

    def _others(self) -> Iterator[str]:
        best, own = self.best, self.recommended
        if best.recipe != self.chosen:
            yield (
                f"the highest score has {best.recipe}: {best.score:.3f}, against {own.score:.3f}; it takes some "
                f"{duration(best.seconds)}"
            )


def untried_line(untried: Mapping[Recipe, str]) -> str:
    """Say which recipes were not tried at all, in one line."""
    names = sorted({(recipe.source.backbone, recipe.source.input_size) for recipe in untried})
    told = ", ".join(f"{name} at {size} px" for name, size in names[:6])
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return (
        f"not tried, for want of time: {counted(len(untried), 'recipe')}, of {told}{more}; a larger --budget tries them"
    )


def chosen_settings(settings: Settings, chosen: Recipe, weights: str) -> Settings:
    """Put a recipe into settings.

    Parameters
    ----------
    settings, chosen
        The settings of the user, and the recipe.
    weights
        Weights of its network.
    """
    return override_settings(settings, {**chosen.overrides(), "backbone.weights": weights})


def duration(seconds: float) -> str:
    """Write a duration for people.

    Examples
    --------
    >>> duration(42), duration(600), duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
