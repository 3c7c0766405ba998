"""Stratified folds that keep groups of samples together."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellfeat.errors import SplitError
from cellfeat.evaluation.design import leave_out_option
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.folds.many_groups import ManyGroupsKFold
from cellfeat.text import first_ten
from cellfeat.types import Integers

MAX_TRIES = 20
"""Shufflings tried, in two ways each, before a class counts as impossible to spread over the folds."""


def grouped_folds(y: ArrayLike, groups: ArrayLike, n_folds: int, *, random_state: int = 0) -> list[Fold]:
    """Split samples into stratified folds; each group is entirely in one test part.

    Parameters
    ----------
    y
        Labels, shape ``(n_samples,)``.
    groups
        Group numbers, shape ``(n_samples,)``.
    n_folds
        At least 2.
    random_state
        Seed of the shuffling: equal seeds give equal folds.

    Returns
    -------
    list of Fold
        Each sample is in exactly one test part, and each class in every test and every training part.

    Raises
    ------
    SplitError
        If there are fewer than two folds or classes, or a class cannot be in every fold.
    """
    y, groups = np.asarray(y), np.asarray(groups)
    _check_splittable(y, groups, n_folds)
    # Not counted up from the random state: repeats use the following ones, and would share tries with this one.
    for seed in np.random.SeedSequence(random_state).generate_state(MAX_TRIES).tolist():
        for split in (_even_folds, _covering_folds):
            folds = split(y, groups, n_folds, seed)
            missing = _missing_from_test(y, folds)
            # Test parts are disjoint: a class in all of them is in every training part too.
            if not missing.size:
                return folds
    raise SplitError(
        f"found no folds with every class in each of {n_folds} in {MAX_TRIES} tries: "
        f"{_class_counts(y, groups, missing)} could not be spread because classes share groups; ask for fewer folds"
    )


def fewest_groups(y: ArrayLike, groups: ArrayLike) -> int:
    """Count the groups of the class that has the fewest: the largest number of folds with every class in each.

    Parameters
    ----------
    y, groups
        Labels and group numbers, shape ``(n_samples,)``.
    """
    # Each pair of class and group once; then the groups of each class are counted.
    pairs = np.unique(np.stack([np.unique(y, return_inverse=True)[1], np.asarray(groups)]), axis=1)
    return int(np.bincount(pairs[0]).min())


def thinned_rows(rows: Integers, y: NDArray, groups: NDArray, fraction: float, rng: np.random.Generator) -> Integers:
    """Take a part of some rows: of each class, the first groups in an order that does not depend on the fraction.

    A larger part therefore contains every smaller one. A group of several classes counts towards the class of its first
    row; at least one group of each class stays.

    Parameters
    ----------
    rows
        Row numbers, shape ``(n_rows,)``.
    y, groups
        Labels and group numbers of all samples, shape ``(n_samples,)``.
    fraction
        Part of each class's groups, in (0, 1].
    rng
        Orders the groups.

    Returns
    -------
    ndarray of shape (n_kept,)
    """
    names, first = np.unique(groups[rows], return_index=True)
    class_of_group = y[rows][first]
    kept = []
    for name in np.unique(class_of_group):
        of_class = rng.permutation(names[class_of_group == name])
        kept.append(of_class[: max(round(fraction * len(of_class)), 1)])
    return rows[np.isin(groups[rows], np.concatenate(kept))]


def _even_folds(y: NDArray, groups: NDArray, n_folds: int, seed: int) -> list[Fold]:
    splitter = ManyGroupsKFold(n_folds, shuffle=True, random_state=seed)
    return [Fold(train, test) for train, test in splitter.split(y, y, groups)]


def _covering_folds(y: NDArray, groups: NDArray, n_folds: int, seed: int) -> list[Fold]:
    """Put each group into the fold that lacks most of its classes: less even, but it finds rare solutions.

    `StratifiedGroupKFold` places groups of one class first, which can leave too few places for groups of several.
    """
    _, group = np.unique(groups, return_inverse=True)
    _, class_number = np.unique(y, return_inverse=True)
    held = np.zeros((group.max() + 1, class_number.max() + 1), dtype=int)
    np.add.at(held, (group, class_number), 1)
    fold_of_sample = _cover(held, n_folds, np.random.default_rng(seed))[group]
    return [
        Fold(np.flatnonzero(fold_of_sample != fold), np.flatnonzero(fold_of_sample == fold)) for fold in range(n_folds)
    ]


def _cover(held: Integers, n_folds: int, rng: np.random.Generator) -> Integers:
    """Choose a fold for each group from its samples per class, `held` of shape ``(n_groups, n_classes)``."""
    fold_of_group = np.empty(len(held), dtype=int)
    in_fold = np.zeros((n_folds, held.shape[1]), dtype=int)
    shuffled = rng.permutation(len(held))
    many_classes_first = np.argsort(-np.count_nonzero(held[shuffled], axis=1), kind="stable")
    for row in shuffled[many_classes_first]:
        n_new_classes = np.count_nonzero((in_fold == 0) & (held[row] > 0), axis=1)
        # The most new classes first, then the fewest samples: the last key of `lexsort` is the primary one.
        fold = np.lexsort((in_fold.sum(axis=1), -n_new_classes))[0]
        fold_of_group[row] = fold
        in_fold[fold] += held[row]
    return fold_of_group


def classes_of_few_groups(y: NDArray, groups: NDArray, n_folds: int) -> list[Any]:
    """List the classes with fewer groups than folds: these cannot be in the test part of every fold.

    Parameters
    ----------
    y, groups
        Labels and group numbers, shape ``(n_samples,)``.
    n_folds
        Number of folds.
    """
    return [name for name in np.unique(y).tolist() if len(np.unique(groups[y == name])) < n_folds]


def _check_splittable(y: NDArray, groups: NDArray, n_folds: int) -> None:
    if n_folds < 2:
        raise SplitError(f"folds: expected 2 or more, got {n_folds}")
    classes = np.unique(y)
    if len(classes) < 2:
        raise SplitError(f"expected samples of two or more classes, got {first_ten(map(repr, classes.tolist()))}")
    few = np.array(classes_of_few_groups(y, groups, n_folds))
    if few.size:
        most = min(len(np.unique(groups[y == name])) for name in few)
        ways = [f"ask for {most} folds at most (--folds {most})"] if most > 1 else []
        if len(classes) - len(few) > 1:
            ways.append(f"leave out what is rare ({leave_out_option(few.tolist())})")
        raise SplitError(
            f"{n_folds} folds need every class in {n_folds} or more groups, got {_class_counts(y, groups, few)}; "
            f"{', '.join([*ways, 'add samples'])}, or group by a finer column"
        )


def _missing_from_test(y: NDArray, folds: list[Fold]) -> NDArray:
    classes = np.unique(y)
    return np.unique(np.concatenate([np.setdiff1d(classes, y[fold.test]) for fold in folds]))


def _class_counts(y: NDArray, groups: NDArray, names: NDArray) -> str:
    return first_ten(
        f"{str(name)!r} ({np.count_nonzero(y == name)} samples in {len(np.unique(groups[y == name]))} groups)"
        for name in names
    )
