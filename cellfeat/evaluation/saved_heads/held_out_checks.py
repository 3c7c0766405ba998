"""Which held-out samples a saved head is scored on, and what they must be before."""

from dataclasses import dataclass

import numpy as np

from cellfeat.errors import ManifestError
from cellfeat.evaluation.design import leave_out_option
from cellfeat.evaluation.task.labelled_samples import LabelledSamples
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.storage.url import Location
from cellfeat.text import first_ten, near_names
from cellfeat.types import Bools, Strings


def check_labels(bundle: Bundle, where: Location, label: Strings) -> None:
    """Check that there are labels, and that the head knows their classes.

    Parameters
    ----------
    bundle
        The saved head.
    where
        The file or folder of the samples, for messages.
    label
        Label of each sample, shape ``(n_samples,)``; ``""`` where there is none.

    Raises
    ------
    ManifestError
        If there are no labels, or unknown classes.
    """
    found = set(label.tolist()) - {""}
    if not found:
        raise ManifestError(
            f"{where}: no sample has a label, and a score needs labels; give --labels CSV{_other_column(bundle)}"
        )
    unknown = sorted(found - set(bundle.classes))
    if unknown:
        raise ManifestError(
            f"{where}: labels that the head does not know: {first_ten(unknown)}; "
            f"{near_names(unknown[0], bundle.classes)}: rename them in the CSV of --labels, or leave them out "
            f"({leave_out_option(unknown)})"
        )


def _other_column(bundle: Bundle) -> str:
    name = bundle.provenance.get("settings", {}).get("labels", {}).get("label")
    return f", and --label-column COLUMN where their column is not called {name!r}" if name else ""


def check_samples_left(where: Location, is_excluded: Bools) -> None:
    """Check that samples are left.

    Parameters
    ----------
    where
        The file or folder of the samples, for messages.
    is_excluded
        Whether each sample that could be read and has a label is excluded, shape ``(n_samples,)``.

    Raises
    ------
    ManifestError
        If none is left.
    """
    if not len(is_excluded):
        raise ManifestError(f"{where}: none of the labelled samples could be read; repair the images")
    if is_excluded.all():
        raise ManifestError(
            f"{where}: all of these {len(is_excluded)} samples are training samples of the head, or near copies of "
            "them: a score on them would say nothing about other samples; name samples that were held out"
        )


def check_groups_left(samples: LabelledSamples, where: Location) -> None:
    """Check that each class has two groups or more, so that its recall has an interval.

    Parameters
    ----------
    samples
        The samples.
    where
        The file or folder of the samples, for messages.

    Raises
    ------
    ManifestError
        If a class has a single group.
    """
    few = [name for name in samples.classes if len(np.unique(samples.groups[samples.y == name])) == 1]
    if len(few) == len(samples.classes):
        raise ManifestError(
            f"{where}: all samples of each class are in one group, such as a plate, which does not show how far groups "
            "vary; add samples of other groups; or, for a score of this group alone, name finer groups such as wells "
            "with --groups COLUMN, or take the samples as independent with --groups none"
        )
    if few:
        raise ManifestError(
            f"{where}: a single group is left of {first_ten(few)}, which does not show how far the class varies; add "
            f"samples of other groups, leave the class out ({leave_out_option(few)}), or see --groups"
        )


@dataclass(frozen=True)
class ChosenRows:
    """Which samples are scored, and which of these are excluded; arrays of shape ``(n_samples,)``."""

    is_scored: Bools
    is_seen: Bools
    is_near_copy: Bools | None

    @property
    def is_excluded(self) -> Bools:
        """Whether each sample is excluded, shape ``(n_samples,)``."""
        return self.is_seen if self.is_near_copy is None else self.is_seen | self.is_near_copy

    @property
    def n_seen(self) -> int:
        """Excluded exact duplicates of training samples."""
        return int(np.count_nonzero(self.is_seen & self.is_scored))

    @property
    def n_near_copies(self) -> int | None:
        """Other near copies of training samples that are excluded; None where they were not searched for."""
        if self.is_near_copy is None:
            return None
        return int(np.count_nonzero(self.is_near_copy & ~self.is_seen & self.is_scored))


def left_out_at_fitting(bundle: Bundle, label: Strings) -> tuple[str, ...]:
    """Name the classes that were left out when the head was fitted, and that these samples have.

    Parameters
    ----------
    bundle
        The saved head.
    label
        Label of each sample, shape ``(n_samples,)``; ``""`` where there is none.
    """
    left_out = bundle.scores.get("leave_out", ())
    return tuple(name for name in left_out if name in set(label.tolist())) if isinstance(left_out, list | tuple) else ()
