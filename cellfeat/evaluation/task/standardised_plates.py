"""Standardising within plates: the plates of the samples, what it does to classes, and standardised embeddings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.evaluation.groups.plate_names import plate_names
from cellfeat.evaluation.task.chosen_embeddings import ChosenEmbeddings
from cellfeat.extraction.store import Features
from cellfeat.heads.preprocessing.group_standards import LEAST_SAMPLES, GroupStandards, large_groups
from cellfeat.text import counted, first_ten
from cellfeat.types import Bools, Float32s, Integers, Strings

if TYPE_CHECKING:
    from cellfeat.evaluation.design import Design


@dataclass(frozen=True)
class Plates:
    """How the samples of a task are standardised within plates.

    Attributes
    ----------
    names
        Plate of each sample, shape ``(n_samples,)``; ``""`` for none.
    is_transductive
        Whether the medians are those of all samples, and not of the training part of each fold.
    """

    names: Strings
    is_transductive: bool

    @classmethod
    def of(cls, features: Features, design: "Design", rows: Integers) -> "Plates | None":
        """Read the plates of some samples; None where the design asks for no standardising.

        Parameters
        ----------
        features
            The samples.
        design
            How heads are evaluated.
        rows
            Row numbers of the samples in use, shape ``(n_samples,)``.

        Raises
        ------
        SplitError, UnknownNameError, MissingFileError
            If there are no such plates.
        """
        if design.standardise is None:
            return None
        names = plate_names(features, design.standardise)
        if not (names != "").any():
            raise SplitError(
                f"standardise: {design.standardise!r} names no plates in {features.path}; name a column: "
                f"{first_ten(features.samples.columns) or 'none is there'}"
            )
        return cls(names[rows].astype(str), design.standardise_from == "all")

    def take(self, rows: Integers) -> "Plates":
        """Give those of some samples, by numbers of shape ``(n,)``."""
        return Plates(self.names[rows], self.is_transductive)

    def fitted(self, embeddings: ChosenEmbeddings, rows: Integers) -> GroupStandards:
        """Fit medians on some samples.

        Parameters
        ----------
        embeddings
            Those of all samples of the task.
        rows
            Numbers of the samples, shape ``(n,)``.
        """
        return GroupStandards.fitted(embeddings.take(rows), self.names[rows], is_transductive=self.is_transductive)


class StandardisedEmbeddings(ChosenEmbeddings):
    """Rows of a matrix of embeddings, standardised within plates when they are copied out.

    Parameters
    ----------
    source, rows
        As for `ChosenEmbeddings`.
    standards
        Medians and widths of the plates.
    names
        Plate of each of the rows in use, shape ``(n_samples,)``.
    """

    def __init__(self, source: Float32s, rows: Integers, standards: GroupStandards, names: Strings) -> None:
        super().__init__(source, rows)
        self.standards, self._names = standards, names

    def __getitem__(self, which: Integers | Bools | slice) -> Float32s:
        """Copy some of the rows, standardised; `which` counts those in use."""
        return self.standards(super().__getitem__(which), self._names[which])

    def take(self, which: Integers) -> "StandardisedEmbeddings":
        """Choose some of the rows, standardised as before; `which` counts those in use, shape ``(n,)``."""
        return StandardisedEmbeddings(self._source, self._rows[which], self.standards, self._names[which])


def task_embeddings(features: Features, rows: Integers, plates: Plates | None) -> ChosenEmbeddings:
    """Give the embeddings of some samples; standardised within plates where all samples give the medians.

    Parameters
    ----------
    features
        All samples.
    rows
        Row numbers of those in use, shape ``(n_samples,)``.
    plates
        How they are standardised; None for not at all.
    """
    chosen = ChosenEmbeddings(features.embeddings, rows)
    if plates is None or not plates.is_transductive:
        return chosen
    standards = plates.fitted(chosen, np.arange(len(rows)))
    return StandardisedEmbeddings(features.embeddings, rows, standards, plates.names)


def check_plates(plates: Plates, y: Strings, word: str) -> Iterator[str]:
    """Refuse standardising that would remove the classes, and say how samples are standardised.

    Parameters
    ----------
    plates
        The plates.
    y
        Labels of the samples, shape ``(n_samples,)``.
    word
        What names the plates.

    Raises
    ------
    SplitError
        If no plate has enough samples, or every one has a single class.
    """
    large = large_groups(plates.names)
    if not large:
        raise SplitError(
            f"standardise: no value of {word} has {LEAST_SAMPLES} samples or more, and medians of fewer are mostly "
            "chance; name a coarser column"
        )
    n_classes = {name: len(np.unique(y[plates.names == name])) for name in large}
    single = [name for name, n in n_classes.items() if n == 1]
    if len(single) == len(large) and len(np.unique(y)) > 1:
        raise SplitError(
            f"standardise: every value of {word} has samples of a single class ({first_ten(single)}), so that "
            "standardising would remove the classes themselves; such samples do not show whether a head knows the "
            "class or the plate: add plates with several classes"
        )
    within = f"within each value of {word} ({len(large)})"
    yield f"standardise: each column by its median and width {within}, {_from(plates)}"
    n_all = len(np.unique(y))
    lacking = [f"{name} ({n})" for name, n in n_classes.items() if 1 < n < n_all]
    if single:
        yield (
            f"warning: standardise: {first_ten(single)} of {word} has a single class, which standardising centres "
            "where all classes of other plates are centred: its samples cannot be predicted well"
        )
    if lacking:
        yield (
            f"warning: standardise: these of {word} have only some of the {n_all} classes, so their medians are those "
            f"of other mixtures of classes: {first_ten(lacking)}"
        )
    n_small = int(np.count_nonzero(~np.isin(plates.names, large)))
    if n_small:
        yield (
            f"warning: standardise: {counted(n_small, 'sample')} of no {word}, or of one with fewer than "
            f"{LEAST_SAMPLES} samples, are standardised by the medians of all samples together"
        )


def _from(plates: Plates) -> str:
    if plates.is_transductive:
        return (
            "of all its samples, those to be predicted among them, without their labels (transductive): scores hold "
            "for new plates of which all images are there before the first is predicted"
        )
    return (
        "of its samples in the training part of each fold; samples of plates that have too few there get the medians "
        "of the whole training part"
    )
