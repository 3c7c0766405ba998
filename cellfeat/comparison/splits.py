"""Groups of samples that must stay together, and stratified folds that keep them together."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from cellfeat.comparison.audited import audited_groups
from cellfeat.errors import MissingFileError, SplitError, UnknownNameError, first_ten, near_names
from cellfeat.extraction.store import Features

Strings = NDArray[np.str_]
Integers = NDArray[np.integer]

GROUP_COLUMNS = ("sample_id", "group")
"""Columns of a table of groups."""

TABLE_SUFFIX = ".csv"
GROUP_WORDS = ("auto", "copies", "none", "group")
"""By which the name of a table of groups is told from that of a column."""

MAX_TRIES = 20
"""Shufflings tried, in two ways each, before a class counts as impossible to spread over the folds."""


@dataclass(frozen=True)
class Fold:
    """Row numbers of one fold's two parts, ascending."""

    train: Integers
    test: Integers


def sample_groups(
    features: Features,
    groups: str = "auto",
    *,
    rows: Integers | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Integers:
    """Number the groups of samples that must not straddle a split.

    Samples with the same pixels are always one group, also where their labels differ, unless `groups` is ``"none"``.
    So are near copies, where an audit of these samples lies beside the feature file, unless `groups` says which samples
    belong together by a table. Groups that share a sample, or pixels, are joined into one.

    Parameters
    ----------
    groups
        ``"auto"`` takes the manifest's groups where it has any. ``"none"`` makes each sample its own group, which shows
        what leaking copies would add to a score. ``"group"`` insists on the manifest's groups. ``"copies"`` is
        ``"auto"`` without what an audit found. A file name that ends in
        ``.csv`` is a table of ``sample_id`` and ``group``, as the audit writes it. Any other word is the manifest
        column whose equal values are one group. An empty value joins nothing.
    rows
        Row numbers of the samples that are asked about; None asks about all. The others join groups all the same.
    say
        Told how many of these samples have no group, and how many samples of a table the features lack.

    Returns
    -------
    ndarray of shape (n_rows,)
        Group numbers; of all samples, from 0 without gaps.

    Raises
    ------
    SplitError
        If `groups` is ``"label"``, ``"group"`` where the manifest has none, or a table without these columns, without
        some of the samples, or with several groups for one.
    MissingFileError
        If there is no such table.
    UnknownNameError
        If `groups` names no column.
    """
    rows = np.arange(len(features.pixel_digest)) if rows is None else rows
    if groups == "none":
        return rows
    values = _group_values(features, groups, say)
    n_missing = np.count_nonzero(values[rows] == "")
    # Without any group in the manifest, "auto" means copies alone, and nothing is missing.
    if n_missing and not (groups in ("auto", "copies") and n_missing == len(rows)):
        say(
            f"groups: {n_missing} of {len(rows)} samples have no {_group_word(groups)}: "
            "each is a group of its own, with its copies"
        )
    keys = [features.pixel_digest, values]
    audited = audited_groups(features) if takes_audited(groups) else None
    return join_groups(keys if audited is None else [*keys, audited])[rows]


def takes_audited(groups: str) -> bool:
    """Whether near copies that an audit found are kept together: not where it is said sample by sample what is."""
    return groups not in ("none", "copies") and not groups.endswith(TABLE_SUFFIX)


def count_copies(pixel_digest: Strings) -> int:
    """Count the samples whose pixels an earlier sample has already."""
    digests = pixel_digest[pixel_digest != ""]
    return len(digests) - len(np.unique(digests))


def grouped_folds(y: ArrayLike, groups: ArrayLike, n_folds: int, *, random_state: int = 0) -> list[Fold]:
    """Split samples into folds of about equal class shares, each group whole in one test part.

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
    for seed in np.random.SeedSequence(random_state).generate_state(MAX_TRIES).tolist():
        for split in (_even_folds, _covering_folds):
            folds = split(y, groups, n_folds, seed)
            missing = _missing_from_test(y, folds)
            # The test parts are disjoint: a class that is in all of them is in every training part too.
            if not missing.size:
                return folds
    raise SplitError(
        f"no way found in {MAX_TRIES} tries to have every class in each of {n_folds} folds: "
        f"{_class_counts(y, groups, missing)} could not be spread because classes share groups; ask for fewer folds"
    )


def fewest_groups(y: ArrayLike, groups: ArrayLike) -> int:
    """Count the groups of the class that has the fewest: no more folds can have every class."""
    pairs = np.unique(np.stack([np.unique(y, return_inverse=True)[1], np.asarray(groups)]), axis=1)
    return int(np.bincount(pairs[0]).min())


def thinned_rows(rows: Integers, y: NDArray, groups: NDArray, fraction: float, rng: np.random.Generator) -> Integers:
    """Take a part of some rows: of each class the first groups in an order that does not depend on the fraction.

    So a larger part holds every smaller one. A group of several classes counts to the class of its first row; of each
    class one group stays at least.

    Parameters
    ----------
    rows
        Row numbers.
    y, groups
        Labels and group numbers of all rows, shape ``(n_samples,)``.
    fraction
        Part of each class's groups, in (0, 1].
    rng
        Orders the groups.
    """
    names, first = np.unique(groups[rows], return_index=True)
    class_of_group = y[rows][first]
    kept = []
    for name in np.unique(class_of_group):
        of_class = rng.permutation(names[class_of_group == name])
        kept.append(of_class[: max(round(fraction * len(of_class)), 1)])
    return rows[np.isin(groups[rows], np.concatenate(kept))]


def _even_folds(y: NDArray, groups: NDArray, n_folds: int, seed: int) -> list[Fold]:
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return [Fold(train, test) for train, test in splitter.split(y, y, groups)]


def _covering_folds(y: NDArray, groups: NDArray, n_folds: int, seed: int) -> list[Fold]:
    """Put each group where most of its classes are still missing: less even, but it finds rare fits.

    `StratifiedGroupKFold` places groups of one class first, which can leave too few places for the groups of several.
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
        fold = np.lexsort((in_fold.sum(axis=1), -n_new_classes))[0]
        fold_of_group[row] = fold
        in_fold[fold] += held[row]
    return fold_of_group


def _group_word(groups: str) -> str:
    """What a sample without a group lacks, in the user's words."""
    return f"group in {groups}" if groups.endswith(TABLE_SUFFIX) else "group" if groups == "auto" else groups


def check_groups(groups: str, columns: Iterable[str]) -> None:
    """Check that `groups` is a word that `sample_groups` knows, one of these columns, or a table that is there.

    Raises
    ------
    SplitError, MissingFileError, UnknownNameError
        If it is none.
    """
    if groups == "label":
        raise SplitError(
            "groups: expected a column that cuts across the classes, got 'label': each class would be one group, "
            "in the training or in the test part but never in both; name a donor, plate or field column, or 'auto'"
        )
    if groups.endswith(TABLE_SUFFIX):
        if not Path(groups).is_file():
            raise MissingFileError(f"groups: the table {groups} does not exist; `cellfeat audit` writes one")
        return
    valid = [*GROUP_WORDS, *columns]
    if groups not in valid:
        raise UnknownNameError(f"groups: no column is named {groups!r}; {near_names(groups, valid)}")


def _group_values(features: Features, groups: str, say: Callable[[str], None]) -> Strings:
    check_groups(groups, features.columns)
    if groups == "group" and not (features.group != "").any():
        raise SplitError(
            "groups: 'group' was asked for, but the manifest names no groups; set labels.group to the column that "
            "holds them and extract again, or use 'auto' to keep only copies of an image together"
        )
    if groups.endswith(TABLE_SUFFIX):
        return _groups_in_file(features, Path(groups), say)
    return features.group if groups in GROUP_WORDS else features.columns[groups]


def _groups_in_file(features: Features, path: Path, say: Callable[[str], None]) -> Strings:
    group_of = _group_of_sample(path)
    ids = features.sample_id.tolist()
    absent = [name for name in ids if name not in group_of]
    if absent:
        raise SplitError(
            f"{path}: lacks {len(absent)} samples of {features.path}: {first_ten(absent)}; "
            "add them (an empty group joins nothing), or audit these features again"
        )
    foreign = sorted(group_of.keys() - set(ids))
    if foreign:
        say(
            f"{path}: {len(foreign)} of its {len(group_of)} samples are not in {features.path}: {first_ten(foreign)}; "
            "they are left out: make sure that the table is of these samples"
        )
    return np.array([group_of[name] for name in ids], dtype=str)


def _group_of_sample(path: Path) -> dict[str, str]:
    """Read a table of groups: group by sample id."""
    table = _read_groups(path)
    id_column, group_column = GROUP_COLUMNS
    table = table[list(GROUP_COLUMNS)].drop_duplicates()
    several = table[table.duplicated(id_column, keep=False)]
    if len(several):
        told = [
            f"{name!r} is in {' and '.join(f'{group!r} (row {row})' for row, group in rows[group_column].items())}"
            for name, rows in several.groupby(id_column, sort=False)
        ]
        raise SplitError(
            f"{path}: expected one group for each sample, got several for {len(told)}: {first_ten(told)}; "
            "keep one row of each, or give these groups one name"
        )
    return dict(zip(table[id_column], table[group_column], strict=True))


def _read_groups(path: Path) -> pd.DataFrame:
    """Read a table with the columns of groups as text; the index numbers its rows from 1, the heading among them."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, ValueError) as error:
        raise SplitError(f"{path}: cannot be read as a table of groups: {error}") from None
    if not set(GROUP_COLUMNS) <= set(table.columns):
        raise SplitError(f"{path}: expected the columns {' and '.join(GROUP_COLUMNS)}, got {first_ten(table.columns)}")
    table.index = pd.RangeIndex(2, len(table) + 2)
    return table[(table != "").any(axis=1)]


def join_groups(keys: Sequence[Strings], pairs: Iterable[tuple[int, int]] = ()) -> Integers:
    """Number the groups that samples form when an equal, non-empty key joins them, and so does a pair of row numbers.

    Returns
    -------
    ndarray of shape (n_samples,)
        Group numbers, from 0 without gaps.
    """
    links = [_links(key) for key in keys]
    links.append(np.array(list(pairs), dtype=np.intp).reshape(-1, 2).T)
    n_samples = len(keys[0])
    ends = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n_samples, n_samples))
    _, numbers = connected_components(graph, directed=False)
    return numbers.astype(np.intp)


def _links(key: Strings) -> Integers:
    """Pairs (sample, first sample with the same key), shape ``(2, n_links)``."""
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rows = np.flatnonzero(key != "")
    return np.stack([rows, first[inverse[rows]]])


def _check_splittable(y: NDArray, groups: NDArray, n_folds: int) -> None:
    if n_folds < 2:
        raise SplitError(f"folds: expected 2 or more, got {n_folds}")
    classes = np.unique(y)
    if len(classes) < 2:
        raise SplitError(f"expected samples of two or more classes, got {first_ten(map(repr, classes.tolist()))}")
    few = np.array([name for name in classes if len(np.unique(groups[y == name])) < n_folds])
    if few.size:
        most = min(len(np.unique(groups[y == name])) for name in few)
        raise SplitError(
            f"{n_folds} folds need every class in {n_folds} or more groups, got {_class_counts(y, groups, few)}; "
            + (f"ask for {most} folds at most, " if most > 1 else "")
            + "leave the class out, or group by a finer column"
        )


def _missing_from_test(y: NDArray, folds: list[Fold]) -> NDArray:
    classes = np.unique(y)
    return np.unique(np.concatenate([np.setdiff1d(classes, y[fold.test]) for fold in folds]))


def _class_counts(y: NDArray, groups: NDArray, names: NDArray) -> str:
    return first_ten(
        f"{str(name)!r} ({np.count_nonzero(y == name)} samples in {len(np.unique(groups[y == name]))} groups)"
        for name in names
    )
