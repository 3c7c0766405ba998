"""Which samples an evaluation may use: the parts of a predefined split, without classes that are left out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cellfeat.errors import SplitError, UnknownNameError
from cellfeat.evaluation.design import Design
from cellfeat.extraction.store import Features
from cellfeat.samples.splits import GROUPS_ADVICE, count_parts, parts_of
from cellfeat.text import first_ten, near_names
from cellfeat.types import Bools, Integers, Strings


@dataclass(frozen=True)
class Selection:
    """Which samples an evaluation may use, apart from those without a label or an embedding.

    Attributes
    ----------
    part
        Part of each sample, shape ``(n_samples,)``; None where there is no split, or all parts are used.
    wanted
        The parts that are used; None where there is no split, or all parts are used.
    is_in_parts
        Whether each sample is in one of these parts, shape ``(n_samples,)``.
    is_left_out
        Whether each sample is of a class that is left out, shape ``(n_samples,)``.
    """

    part: Strings | None
    wanted: tuple[str, ...] | None
    is_in_parts: Bools
    is_left_out: Bools

    @classmethod
    def of(cls, features: Features, design: Design, label: Strings) -> "Selection":
        """Choose the samples that a design asks for.

        Parameters
        ----------
        features
            The samples.
        design
            Names the split, its parts and the classes that are left out.
        label
            Label of each sample, shape ``(n_samples,)``.

        Raises
        ------
        UnknownNameError
            If no column has the name of the split, or no sample a class that is left out.
        ConfigError
            If a value of the split names no part.
        SplitError
            If no sample is in the parts.
        """
        _check_left_out(design.leave_out, label)
        part = _part_of_sample(features, design.split)
        is_left_out = np.isin(label, design.leave_out)
        if part is None or design.parts is None:
            return cls(None, None, np.ones(len(label), dtype=bool), is_left_out)
        is_in_parts = np.isin(part, design.parts)
        if not is_in_parts.any():
            raise SplitError(
                f"{features.path}: no sample is in the part {' or '.join(design.parts)} of the split: "
                f"{count_parts(part)}; choose other parts (comparison.parts; score --part)"
            )
        return cls(part, tuple(design.parts), is_in_parts, is_left_out)

    @property
    def is_allowed(self) -> Bools:
        """Whether each sample may be used, shape ``(n_samples,)``."""
        return self.is_in_parts & ~self.is_left_out

    def remarks(self, label: Strings, groups: Integers) -> Iterator[str]:
        """Say what is used and what is left out, and which groups the split cuts.

        Parameters
        ----------
        label, groups
            Label and group number of each sample, shape ``(n_samples,)``.
        """
        n_left_out = np.count_nonzero(self.is_left_out & self.is_in_parts)
        if n_left_out:
            yield f"excluded: {n_left_out} samples of classes in comparison.leave_out"
        if self.part is not None and self.wanted:
            yield from self._split_remarks(self.part, " or ".join(self.wanted), label, groups)

    def _split_remarks(self, part: Strings, wanted: str, label: Strings, groups: Integers) -> Iterator[str]:
        used, rest = count_parts(part[self.is_in_parts]), count_parts(part[~self.is_in_parts])
        yield f"split: {used} samples are used" + (f"; {rest} are left out" if rest else "")
        outside = set(label[~self.is_in_parts].tolist()) - set(label[self.is_in_parts].tolist()) - {""}
        if outside:
            yield f"classes without a sample in the part {wanted}: {first_ten(sorted(outside))}"
        is_outside = ~self.is_in_parts & (part != "")
        inside = np.unique(groups[self.is_in_parts])
        shared = np.intersect1d(inside, groups[is_outside])
        if shared.size:
            counts = count_parts(part[np.isin(groups, shared)])
            yield (
                f"{shared.size} of {inside.size} groups in the part {wanted} have samples in other parts as well "
                f"({counts}): {GROUPS_ADVICE}"
            )


def _check_left_out(leave_out: tuple[str, ...], label: Strings) -> None:
    known = set(label.tolist()) - {""}
    for name in leave_out:
        if name not in known:
            raise UnknownNameError(f"comparison.leave_out: no sample has the class {name!r}; {near_names(name, known)}")


def _part_of_sample(features: Features, column: str | None) -> Strings | None:
    """Part of each sample by a column, or by the split of the extraction; None where there is neither."""
    columns = features.samples.columns
    if column is None:
        column = features.split_column
    elif column not in columns:
        raise UnknownNameError(
            f"labels.split: {features.path} has no column {column!r}; {near_names(column, columns)}; extract again "
            f"with --set labels.split={column}: columns are updated and embeddings kept"
        )
    return None if column is None else parts_of(columns[column].tolist(), column)
