"""What is known of the recipes that were compared, by the samples that they were compared on."""

from dataclasses import dataclass, field

from cellfeat.recommending.choosing import Judged
from cellfeat.recommending.least_squares import FoldedLabels
from cellfeat.recommending.recipes import Recipe
from cellfeat.types import Integers


@dataclass
class Stage:
    """What is known of recipes on the same samples.

    Attributes
    ----------
    rows
        Places of the samples, shape ``(n,)``.
    labels
        Their classes and folds.
    judged
        The recipes.
    alive
        Recipes that have gone on without the scores of each fold, and with all (`ALL_FOLDS`).
    """

    rows: Integers
    labels: FoldedLabels
    judged: dict[Recipe, Judged] = field(default_factory=dict)
    alive: dict[int, list[Recipe]] = field(default_factory=dict)


@dataclass
class Contest:
    """All rounds of a recommendation.

    Attributes
    ----------
    baseline
        The recipe that others are compared with; it takes part in every round.
    stages
        By number of samples, ascending.
    untried
        Why a recipe was not tried, or not tried on more samples.
    is_interrupted
        Whether the user ended it.
    """

    baseline: Recipe
    stages: list[Stage] = field(default_factory=list)
    untried: dict[Recipe, str] = field(default_factory=dict)
    is_interrupted: bool = False

    def final(self) -> Stage | None:
        """The stage of the most samples that has recipes to choose from; None if there is none."""
        return next((stage for stage in reversed(self.stages) if len(stage.judged) > 1), None)

    def with_baseline(self) -> Stage | None:
        """The stage of the most samples in which recipes can be compared with the baseline; None if there is none."""
        stages = [stage for stage in self.stages if self.baseline in stage.judged and len(stage.judged) > 1]
        return stages[-1] if stages else None

    def last_seen(self) -> dict[Recipe, Stage]:
        """The stage of the most samples of each recipe."""
        return {recipe: stage for stage in self.stages for recipe in stage.judged}
