"""How heads are evaluated: the settings of an evaluation, spelled once."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from cellfeat.config import Settings


@dataclass(frozen=True)
class Design:
    """How heads are evaluated.

    Attributes
    ----------
    folds
        Number of folds, at least 2; ``"leave-one-out"`` for one fold for each group; or ``"column:NAME"`` for one fold
        for each value of a column, where train, val and test are a single split: see
        `cellfeat.evaluation.given_folds`.
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
    split
        Column of the samples that says train, val or test. None: the split of the extraction, if there is one.
    parts
        Parts of the split that are used; no effect where there is no split. None: all samples, whatever their part.
    leave_out
        Classes whose samples are excluded.
    """

    folds: int | str = 5
    groups: str = "auto"
    random_state: int = 0
    draws: int = 2000
    calibrate: Literal["temperature", "none"] = "temperature"
    tune: int = 0
    split: str | None = None
    parts: tuple[str, ...] | None = ("train",)
    leave_out: tuple[str, ...] = ()

    @property
    def n_folds(self) -> int:
        """Number of folds for a study that makes its own; the default where the folds are given."""
        return self.folds if isinstance(self.folds, int) else 5

    @classmethod
    def from_settings(cls, settings: "Settings") -> Self:
        """Take the design from the section ``comparison`` of the configuration, and the split from ``labels``."""
        wanted = settings.comparison
        return cls(
            folds=wanted.folds,
            groups=wanted.groups,
            random_state=wanted.seed,
            draws=wanted.draws,
            calibrate=wanted.calibrate,
            tune=wanted.tune,
            split=settings.labels.split,
            parts=wanted.parts,
            leave_out=wanted.leave_out,
        )

    def record(self) -> dict[str, Any]:
        """Plain JSON values; `split`, `parts` and `leave_out` only where they choose among the samples."""
        record = asdict(self)
        for name in ("split", "parts", "leave_out"):
            if not record[name]:
                del record[name]
        return record
