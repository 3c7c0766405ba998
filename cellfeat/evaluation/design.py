"""How heads are evaluated: the settings of an evaluation, spelled once."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from cellfeat.errors import ConfigError

if TYPE_CHECKING:
    from cellfeat.config import Settings

Calibration = Literal["temperature", "none"]
CALIBRATIONS = get_args(Calibration)
StandardiseFrom = Literal["all", "training"]


@dataclass(frozen=True)
class Design:
    """How heads are evaluated.

    Attributes
    ----------
    folds
        Number of folds, at least 2; ``"leave-one-out"`` for one fold for each group; or ``"column:NAME"`` for one fold
        for each value of a column, where train, val and test are a single split: see
        `cellfeat.evaluation.folds.given_folds`. Or the fold of each sample itself, as `Features.with_labels` takes
        labels.
    groups
        Which samples stay together in one fold: a word, a column or a table, see
        `cellfeat.evaluation.groups.sample_groups.sample_groups`; or the groups themselves, as `Features.with_groups`
        takes them: copies and near copies are kept together as well.
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
        Classes whose samples are excluded; one may be given as text, as for `parts`.
    standardise
        Column of plates or batches, or another word for groups as in `groups`: every column of the embeddings is
        standardised within each of them. None: not at all.
    standardise_from
        Samples that give the medians: ``"all"`` of a plate, without their labels (transductive), or those in the
        ``"training"`` part of a fold.

    Raises
    ------
    ConfigError
        If a value is out of range.

    Examples
    --------
    >>> Design(folds=10, leave_out="HeLa")
    Design(folds=10, leave_out=('HeLa',))
    """

    folds: int | str | Any = 5
    groups: str | Any = "auto"  # Any: `Given`, which `task.arguments.resolved` makes groups of the samples
    random_state: int = 0
    draws: int = 2000
    calibrate: Calibration = "temperature"
    tune: int = 0
    split: str | None = None
    parts: tuple[str, ...] | None = ("train",)
    leave_out: tuple[str, ...] = ()
    standardise: str | None = None
    standardise_from: StandardiseFrom = "all"

    def __post_init__(self) -> None:
        """Refuse what no evaluation knows, and take values in the forms that Python and NumPy give them."""
        object.__setattr__(self, "leave_out", as_names(self.leave_out))
        if self.parts is not None:
            object.__setattr__(self, "parts", as_names(self.parts))
        if self.calibrate not in CALIBRATIONS:
            raise ConfigError(f"calibrate: expected {' or '.join(CALIBRATIONS)}, got {self.calibrate!r}")
        if self.standardise_from not in get_args(StandardiseFrom):
            raise ConfigError(f"standardise_from: expected all or training, got {self.standardise_from!r}")
        for name, least in (("random_state", 0), ("draws", 1), ("tune", 0)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < least:
                raise ConfigError(f"{name}: expected a whole number of {least} or more, got {value!r}")
            object.__setattr__(self, name, int(value))
        if isinstance(self.folds, Integral):
            object.__setattr__(self, "folds", int(self.folds))
        elif self.folds is None or isinstance(self.folds, Real):
            raise ConfigError(
                f"folds: expected a whole number, leave-one-out, or the fold of each sample, got {self.folds!r}"
            )
        if self.groups is None:
            raise ConfigError("groups: expected auto, none, a column, or the group of each sample, got None")
        for name in ("split", "standardise"):
            value = getattr(self, name)
            if not isinstance(value, str | None):
                raise ConfigError(
                    f"{name}: expected the name of a column of the samples, got {type(value).__name__}; give the "
                    f"values as a column, Features.from_arrays(..., columns={{'{name}': ...}}), and its name here"
                )

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
            standardise=wanted.standardise,
            standardise_from=wanted.standardise_from,
        )

    def __repr__(self) -> str:
        """Give the values that are not the defaults."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, kinds in (("groups", str), ("folds", int | str)):
            if not isinstance(values[name], kinds):
                values[name] = f"<{len(values[name])} values>" if hasattr(values[name], "__len__") else "<values>"
        defaults = {each.name: each.default for each in fields(self)}
        changed = (f"{name}={value!r}" for name, value in values.items() if value != defaults[name])
        return f"Design({', '.join(changed)})"

    def record(self) -> dict[str, Any]:
        """Plain JSON values; `split`, `parts`, `leave_out` and `standardise` only where they say something."""
        record = asdict(self)
        if not record["standardise"]:
            del record["standardise_from"]
        for name in ("split", "parts", "leave_out", "standardise"):
            if not record[name]:
                del record[name]
        return record


def as_names(given: Any) -> tuple[str, ...]:
    """Names as a tuple; a single one, none, and numbers, which name classes as labels do."""
    if given is None:
        return ()
    if isinstance(given, str | Integral):
        return (str(given),)
    return tuple(map(str, given))


def leave_out_option(classes: Sequence[str]) -> str:
    """Write the option that leaves classes out, for messages."""
    return f"--set 'comparison.leave_out={json.dumps(list(classes), ensure_ascii=False)}'"
