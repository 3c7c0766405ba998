"""The samples that recipes are compared on: grouped as `compare` groups them, and split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.folds.grouped_folds import fewest_groups, grouped_folds, thinned_rows
from cellfeat.evaluation.groups.sample_groups import group_keys, join_groups, keeps_near_copies
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.store import Samples
from cellfeat.near_copies.exact_duplicates import exact_duplicates
from cellfeat.near_copies.joining import declared, join
from cellfeat.near_copies.pictures import pictures_of
from cellfeat.near_copies.search import near_copies
from cellfeat.recommending.least_squares import FoldedLabels
from cellfeat.recommending.sampling import samples_of
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.text import first_ten
from cellfeat.types import Integers, Strings


@dataclass(frozen=True)
class Part:
    """The samples that recipes are compared on.

    Attributes
    ----------
    decoded
        The samples.
    samples
        Their ids, labels and groups.
    groups
        Group numbers, shape ``(n,)``.
    labels
        Classes and folds.
    classes
        Names of the classes.
    n_allowed
        Number of all labelled samples that could have been taken.
    seconds_per_sample
        What reading one sample took.
    """

    decoded: Sequence[Decoded]
    samples: Samples
    groups: Integers
    labels: FoldedLabels
    classes: tuple[str, ...]
    n_allowed: int
    seconds_per_sample: float

    def __len__(self) -> int:
        return len(self.decoded)

    @property
    def n_channels(self) -> int:
        """Number of channels of a sample."""
        pixels = self.decoded[0].pixels
        assert pixels is not None, "samples that failed are left out"
        return int(pixels.shape[0])

    def first(self, share: float, seed: int) -> Integers:
        """Take a share of the groups of each class in each fold; a larger share contains every smaller one.

        Parameters
        ----------
        share
            In (0, 1].
        seed
            Orders the groups.

        Returns
        -------
        ndarray of shape (n_taken,)
            Places, ascending.
        """
        if share >= 1:
            return np.arange(len(self))
        y, fold = self.labels.codes, self.labels.fold
        taken = [
            thinned_rows(np.flatnonzero(fold == number), y, self.groups, share, np.random.default_rng([seed, number]))
            for number in range(self.labels.n_folds)
        ]
        return np.sort(np.concatenate(taken))


def group_part(
    manifest: Manifest,
    decoded: Sequence[Decoded],
    design: Design,
    *,
    seconds_per_sample: float = 0.0,
    n_allowed: int | None = None,
    say: Say = ignore_line,
) -> Part:
    """Group samples as `compare` does, join near copies among them, and split them.

    Parameters
    ----------
    manifest
        All samples.
    decoded
        Those that were read, in the order of their rows.
    design
        Groups, number of folds and seed. Fewer folds are made where a class has fewer groups; classes that lie in one
        group are left out.
    seconds_per_sample, n_allowed
        As in `Part`.
    say
        Receives what is joined and left out.

    Raises
    ------
    SplitError
        If fewer than two classes lie in two or more groups.
    """
    rows = np.array([sample.row for sample in decoded])
    samples = samples_of(manifest, {sample.row: sample.digest for sample in decoded}).take(rows)
    numbers = _groups(samples, decoded, manifest, design.groups, say)
    kept = _rows_of_spread_classes(samples.labels, numbers, say)
    samples, numbers = samples.take(kept), numbers[kept]
    classes, codes = np.unique(samples.labels, return_inverse=True)
    _, groups = np.unique(numbers, return_inverse=True)
    fold, n_folds = _folds(codes, groups, design, say)
    labels = FoldedLabels(codes, fold, len(classes), n_folds)
    left = [decoded[place] for place in kept.tolist()]
    n_all = len(manifest) if n_allowed is None else n_allowed
    return Part(left, samples, groups, labels, tuple(classes.tolist()), n_all, seconds_per_sample)


def _groups(samples: Samples, decoded: Sequence[Decoded], manifest: Manifest, groups: str, say: Say) -> Integers:
    if groups == "none":
        return np.arange(len(samples))
    keys = group_keys(samples, groups, manifest.root)
    if not keeps_near_copies(groups):
        return join_groups(keys)
    pictures = pictures_of([sample.pixels for sample in decoded], manifest.channels)
    shapes = dict(zip(pictures.rows.tolist(), pictures.shapes, strict=True))
    found = near_copies(pictures, exact_duplicates(samples.digests), samples.regions)
    joined = join(found, declared(samples.groups, samples.columns, samples.regions), shapes).joined
    if joined:
        say(f"groups: {len(joined)} pairs of samples that share pixels or detail are kept in one fold")
    return join_groups(keys, joined)


def _rows_of_spread_classes(label: Strings, groups: Integers, say: Say) -> Integers:
    """Rows of classes that lie in two or more groups."""
    n_groups = {name: len(np.unique(groups[label == name])) for name in np.unique(label).tolist()}
    lone = [name for name, n in n_groups.items() if n < 2]
    if len(n_groups) - len(lone) < 2:
        raise SplitError(
            f"expected two or more classes in two or more groups each, got {first_ten(lone)} in one group: no fold can "
            "train on such a class and test it; add samples of other groups, or group by a finer column "
            "(--set comparison.groups=COLUMN; copies: only copies of an image stay together)"
        )
    if lone:
        say(f"classes in one group are left out here, because no fold can train and test them: {first_ten(lone)}")
    return np.flatnonzero(~np.isin(label, lone))


def _folds(codes: Integers, groups: Integers, design: Design, say: Say) -> tuple[Integers, int]:
    wanted = design.n_folds
    n_folds = min(wanted, fewest_groups(codes, groups))
    while True:
        try:
            folds = grouped_folds(codes, groups, n_folds, random_state=design.random_state)
            break
        except SplitError:
            if n_folds <= 2:
                raise
            n_folds -= 1
    if n_folds < wanted:
        say(f"{n_folds} folds instead of {wanted}, so that every class is in each")
    fold = np.empty(len(codes), np.intp)
    for number, one in enumerate(folds):
        fold[one.test] = number
    return fold, n_folds
