"""What held-out samples must be before a saved head is scored on them."""

from pathlib import Path

import numpy as np

from cellfeat.errors import ManifestError
from cellfeat.evaluation.task import LabelledSamples
from cellfeat.heads.bundle import Bundle
from cellfeat.text import first_ten, near_names
from cellfeat.types import Bools, Strings


def check_labels(bundle: Bundle, where: Path, label: Strings) -> None:
    """Check that there are labels, of exactly the classes that the head knows.

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
        If there are no labels, unknown classes, or classes without a sample.
    """
    found = set(label.tolist()) - {""}
    if not found:
        raise ManifestError(f"{where}: no sample has a label, and a score needs labels; give --labels CSV")
    unknown = sorted(found - set(bundle.classes))
    if unknown:
        raise ManifestError(
            f"{where}: labels that the head does not know: {first_ten(unknown)}; "
            f"{near_names(unknown[0], bundle.classes)}: rename them in the CSV of --labels, or leave these rows out"
        )
    absent = sorted(set(bundle.classes) - found)
    if absent:
        raise ManifestError(
            f"{where}: no held-out sample of {first_ten(absent)}: a score over the other {len(found)} classes would "
            f"not be one over all {len(bundle.classes)}; add samples of these (predict gives the class of each sample)"
        )


def check_samples_left(bundle: Bundle, where: Path, label: Strings, is_excluded: Bools) -> None:
    """Check that samples of each class are left.

    Parameters
    ----------
    bundle
        The saved head.
    where
        The file or folder of the samples, for messages.
    label, is_excluded
        Label of each sample that could be read and has one, and whether it is excluded, shape ``(n_samples,)``.

    Raises
    ------
    ManifestError
        If none is left, or none of some class.
    """
    if not len(label):
        raise ManifestError(f"{where}: none of the labelled samples could be read; repair the images")
    if is_excluded.all():
        raise ManifestError(
            f"{where}: all of these {len(label)} samples are training samples of the head, or near copies of them: a "
            "score on them would say nothing about other samples; name samples that were held out"
        )
    absent = sorted(set(bundle.classes) - set(label[~is_excluded].tolist()))
    if absent:
        raise ManifestError(
            f"{where}: no sample of {first_ten(absent)} is left: they are training samples of the head or near copies "
            "of them, or could not be read; add other samples of these classes"
        )


def check_groups_left(samples: LabelledSamples, where: Path) -> None:
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
    n_groups = [len(np.unique(samples.groups[samples.y == name])) for name in samples.classes]
    few = [name for name, n in zip(samples.classes, n_groups, strict=True) if n < 2]
    if few:
        raise ManifestError(
            f"{where}: a single group is left of {first_ten(few)}, which does not show how far the class varies; add "
            "samples of other groups, or see --groups"
        )
