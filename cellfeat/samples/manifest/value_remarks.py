"""What labels, groups and ids look like: several classes in one, dates of a spreadsheet, two spellings, copies."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain

from cellfeat.samples.labels.spellings import alike_values
from cellfeat.samples.manifest.augmented_names import augmented_remarks
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.text import first_ten

# Excel makes 1-Mar of the gene MARCH1, and 2-Sep of SEPT2; German and ISO forms are dates as well.
_DATE = re.compile(
    r"\d{1,2}-(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)-\d{1,2}"
    r"|\d{1,2}\. ?(jan|feb|mrz|apr|mai|jun|jul|aug|sep|okt|nov|dez)",
    re.IGNORECASE,
)
_SEVERAL = ("|", ";", ",", " ")
# What Windows, macOS and Linux call the copy of a folder.
_COPY = re.compile(r"(?P<original>.+?)( ?-? ?(copy|kopie)( ?\(?\d+\)?)?|[ _]?\(\d+\))", re.IGNORECASE)


def value_remarks(manifest: Manifest) -> list[str]:
    """Say what is strange about labels, groups and ids, though they may be used as they are.

    Parameters
    ----------
    manifest
        The samples.
    """
    labels = Counter(label for label in manifest.table["label"] if label)
    copies = _copies(labels)
    several = [] if copies else _several_labels(labels)
    values = [*copies, *several, *_dates(labels), *_group_spellings(manifest.table["group"])]
    return [*values, *augmented_remarks(manifest)]


def _copies(labels: Counter[str]) -> list[str]:
    """Classes called like a copied folder of another class."""
    named = {label: match["original"] for label in labels if (match := _COPY.fullmatch(label))}
    copies = first_ten(f"{label!r} of {original!r}" for label, original in sorted(named.items()) if original in labels)
    if not copies:
        return []
    return [
        f"warning: classes that are called like copies of others: {copies}; each is taken as a class of its own: if "
        "they are one class, put their images together, each image once"
    ]


def _several_labels(labels: Counter[str]) -> list[str]:
    """Classes such as ``0|3`` beside ``0`` and ``3``: each sample has several labels."""
    for separator in _SEVERAL:
        joined = [label for label in labels if len(_parts(label, separator)) > 1]
        parts = Counter(chain.from_iterable(_parts(label, separator) for label in labels))
        # Every part is a class by itself, or is in several combinations: names such as "live, stained" have neither.
        is_several = joined and all(
            any(part in labels or parts[part] > 1 for part in _parts(label, separator)) for label in joined
        )
        alone = sum(part in labels for part in parts)
        if is_several and (len(joined) > 1 or alone > 1) and 2 * alone >= len(parts):
            told = first_ten(f"{label} ({labels[label]})" for label in joined)
            n_samples = sum(labels[label] for label in joined)
            return [
                f"warning: {n_samples} samples have several labels, joined by {separator!r}: {told}; each combination "
                "is taken as a class of its own. If a sample may have several classes at once, make one column for "
                "each class (yes or no), and compare them one by one with --set labels.label=COLUMN"
            ]
    return []


def _parts(label: str, separator: str) -> list[str]:
    return [part.strip() for part in label.split(separator) if part.strip()]


def _dates(labels: Counter[str]) -> list[str]:
    found = sorted(label for label in labels if _DATE.fullmatch(label))
    if not found:
        return []
    return [
        f"warning: labels that look like dates: {first_ten(found)}; a spreadsheet makes such of names like MARCH1 and "
        "SEPT2: compare them with the table before it was opened there"
    ]


def _group_spellings(groups: Iterable[str]) -> list[str]:
    counts = Counter(group for group in groups if group)
    alike = alike_values(counts)
    if not alike:
        return []
    told = first_ten(" and ".join(f"{one!r} ({counts[one]} samples)" for one in forms) for forms in alike)
    return [
        "warning: groups that differ only in case, spaces, invisible characters, leading zeros or a decimal point: "
        f"{told}; they are taken as different groups, which may be apart in training and test: if they are one, write "
        "them one way"
    ]
