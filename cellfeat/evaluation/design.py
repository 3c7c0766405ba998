"""How heads are evaluated: the settings of an evaluation, spelled once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from cellfeat.config import Settings


@dataclass(frozen=True)
class Design:
    """How heads are evaluated.

    Attributes
    ----------
    folds
        Number of folds, at least 2.
    groups
        Which samples stay together in one fold: see `cellfeat.evaluation.groups.sample_groups`.
    random_state
        Seed of the folds, the heads and the bootstrap.
    draws
        Bootstrap draws behind each interval.
    calibrate
        ``"temperature"`` scales the heads' probabilities, ``"none"`` leaves them as they are.
    tune
        Settings tried inside the training part of each fold, including the given ones; 0 keeps the given ones.
    """

    folds: int = 5
    groups: str = "auto"
    random_state: int = 0
    draws: int = 2000
    calibrate: Literal["temperature", "none"] = "temperature"
    tune: int = 0

    @classmethod
    def from_settings(cls, settings: "Settings") -> Self:
        """Take the design from the section ``comparison`` of the configuration."""
        wanted = settings.comparison
        return cls(wanted.folds, wanted.groups, wanted.seed, wanted.draws, wanted.calibrate, wanted.tune)
