"""Whether the labels of a manifest are classes that folds can be made of."""

import re
from collections import Counter

from cellfeat.errors import ManifestError
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.text import first_ten

# Decimals with a point or a comma, or an exponent.
_DECIMAL = re.compile(r"[+-]?(\d*[.,]\d+(e[+-]?\d+)?|\d+e[+-]?\d+)", re.ASCII | re.IGNORECASE)
_MANY_NUMBERS = 10


def check_classes(manifest: Manifest) -> None:
    """Check that there are two classes or more.

    Raises
    ------
    ManifestError
        If there are fewer.
    """
    counts = _class_counts(manifest)
    if len(counts) < 2:
        raise ManifestError(
            f"the samples have {len(counts)} classes ({first_ten(counts) or 'no sample has a label'}); "
            "expected two or more: name the column of classes with --set labels.label=COLUMN"
        )


def rare_class_remarks(manifest: Manifest, n_folds: int) -> list[str]:
    """Name the classes that cannot have a sample in each fold.

    Parameters
    ----------
    manifest
        The samples; those without a label are not counted.
    n_folds
        Number of folds.
    """
    counts = _class_counts(manifest)
    small = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < n_folds]
    if not small:
        return []
    if _are_measurements(counts):
        return [
            f"warning: the labels are {len(counts)} different numbers, such as {first_ten(list(counts)[:3])}, so each "
            "number is a class; if they are measurements, make classes of them in another column (such as low and "
            "high), and name it with --set labels.label=COLUMN"
        ]
    return [
        f"{len(small)} of {len(counts)} classes have fewer samples than {n_folds} folds: {first_ten(small)}; they are "
        "extracted, and compare and fit will need fewer folds (--folds N) or to leave the classes out "
        "(--set 'comparison.leave_out=[CLASS]')"
    ]


def _are_measurements(counts: Counter[str]) -> bool:
    """Whether classes are many numbers, most of them with decimals and without a second sample."""
    n_decimal = sum(1 for label in counts if _DECIMAL.fullmatch(label))
    return len(counts) >= _MANY_NUMBERS and 2 * n_decimal > len(counts) and counts.total() < 2 * len(counts)


def _class_counts(manifest: Manifest) -> Counter[str]:
    return Counter(label for label in manifest.table["label"] if label)
