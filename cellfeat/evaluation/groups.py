"""Groups of samples that must stay together in one fold."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellfeat.config import MISSING_WORDS
from cellfeat.errors import MissingFileError, SplitError, UnknownNameError
from cellfeat.evaluation.hooks import Say, ignore_line
from cellfeat.extraction.store import Features
from cellfeat.near_copies.duplicate_record import audited_groups
from cellfeat.samples.missing import without_missing
from cellfeat.text import first_ten, near_names
from cellfeat.types import Integers, Strings

GROUP_COLUMNS = ("sample_id", "group")
"""Columns of a table of groups."""

TABLE_SUFFIX = ".csv"
"""Ending that distinguishes the name of a table of groups from a column."""

GROUP_WORDS = ("auto", "copies", "none", "group")
"""Values of `groups` that are not a column."""


def sample_groups(
    features: Features,
    groups: str = "auto",
    *,
    rows: Integers | None = None,
    say: Say = ignore_line,
) -> Integers:
    """Number the groups of samples that must stay together in one fold.

    Exact duplicates are always one group, even where their labels differ, unless `groups` is ``"none"``. Near copies
    are one group where the record of an audit of these samples lies beside the feature file, unless `groups` is
    ``"copies"`` or a table. Groups that share a sample, or pixels, are joined.

    Parameters
    ----------
    features
        The samples.
    groups
        ``"auto"`` takes the manifest's groups where it has any. ``"none"`` makes each sample its own group, which shows
        what leaking copies would add to a score. ``"group"`` requires the manifest's groups. ``"copies"`` is ``"auto"``
        without the record of an audit. A file name that ends in ``.csv`` is a table of ``sample_id`` and ``group``, as
        the audit writes it. Any other word is a column of the manifest whose equal values form a group. An empty value
        joins nothing.
    rows
        Row numbers of the samples whose groups are returned, shape ``(n_rows,)``; None returns all. The other samples
        still join groups.
    say
        Receives how many samples have no group, and how many samples of a table the features lack.

    Returns
    -------
    ndarray of shape (n_rows,)
        Group numbers. Over all samples they run from 0 without gaps.

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
    rows = np.arange(len(features.samples.digests)) if rows is None else rows
    if groups == "none":
        return rows
    values = _group_values(features, groups, say)
    n_missing = np.count_nonzero(values[rows] == "")
    # Without any groups in the manifest, "auto" means copies alone, and no group is missing.
    if n_missing and not (groups in ("auto", "copies") and n_missing == len(rows)):
        say(
            f"groups: {n_missing} of {len(rows)} samples have no {_group_word(groups)}: "
            "each forms its own group, with its copies"
        )
    keys = [features.samples.digests, values]
    audited = audited_groups(features) if takes_audited(groups) else None
    return join_groups(keys if audited is None else [*keys, audited])[rows]


def takes_audited(groups: str) -> bool:
    """Whether near copies that an audit found are kept together."""
    return groups not in ("none", "copies") and not groups.endswith(TABLE_SUFFIX)


def count_copies(pixel_digest: Strings) -> int:
    """Count exact duplicates of earlier samples, from pixel digests of shape ``(n_samples,)``."""
    digests = pixel_digest[pixel_digest != ""]
    return len(digests) - len(np.unique(digests))


def _group_word(groups: str) -> str:
    """What a sample without a group lacks, in words."""
    return f"group in {groups}" if groups.endswith(TABLE_SUFFIX) else "group" if groups == "auto" else groups


def check_groups(groups: str, columns: Iterable[str]) -> None:
    """Check that `groups` is a word that `sample_groups` knows, a column, or an existing table.

    Parameters
    ----------
    groups
        As for `sample_groups`.
    columns
        Names of the manifest's columns.

    Raises
    ------
    SplitError
        If `groups` is ``"label"``.
    MissingFileError
        If there is no such table.
    UnknownNameError
        If no column has this name.
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


def _group_values(features: Features, groups: str, say: Say) -> Strings:
    check_groups(groups, features.samples.columns)
    if groups == "group" and not (features.samples.groups != "").any():
        raise SplitError(
            "groups: 'group' was asked for, but the manifest names no groups; set labels.group to the column that "
            "holds them and extract again, or use 'auto' to keep only copies of an image together"
        )
    if groups.endswith(TABLE_SUFFIX):
        return _groups_in_file(features, Path(groups), say)
    return features.samples.groups if groups in GROUP_WORDS else features.samples.columns[groups]


def _groups_in_file(features: Features, path: Path, say: Say) -> Strings:
    group_of = _group_of_sample(path, say)
    ids = features.samples.ids.tolist()
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
            "they are ignored: make sure that the table belongs to these samples"
        )
    return np.array([group_of[name] for name in ids], dtype=str)


def _group_of_sample(path: Path, say: Say) -> dict[str, str]:
    """Read a table of groups: group by sample id."""
    table = _read_groups(path)
    id_column, group_column = GROUP_COLUMNS
    # An audit names groups after samples, and a sample may have any name.
    missing = without_missing(table[group_column], set(MISSING_WORDS) - set(table[id_column]))
    if missing.words:
        say(
            f"{missing.words.total()} groups in {path} read {missing.spellings} and are taken as missing; give a group "
            "that is really called so another name"
        )
    table = table.assign(**{group_column: missing.values})
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
        # With blank lines, so that row numbers in messages are those of the file; they are dropped below.
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, ValueError) as error:
        raise SplitError(f"{path}: cannot be read as a table of groups: {error}") from None
    if not set(GROUP_COLUMNS) <= set(table.columns):
        raise SplitError(f"{path}: expected the columns {' and '.join(GROUP_COLUMNS)}, got {first_ten(table.columns)}")
    table.index = pd.RangeIndex(2, len(table) + 2)
    return table[(table != "").any(axis=1)]


def join_groups(keys: Sequence[Strings], pairs: Iterable[tuple[int, int]] = ()) -> Integers:
    """Number the groups that samples form: equal, non-empty keys join them, and so do pairs of row numbers.

    Parameters
    ----------
    keys
        Keys of each sample, shape ``(n_samples,)`` each.
    pairs
        Row numbers of samples that belong together.

    Returns
    -------
    ndarray of shape (n_samples,)
        Group numbers, from 0 without gaps.
    """
    links = [_links(key) for key in keys]
    links.append(np.array(list(pairs), dtype=np.intp).reshape(-1, 2).T)
    n_samples = len(keys[0])
    # Samples are the nodes of a graph and links its edges: the groups are its connected components.
    ends = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n_samples, n_samples))
    _, numbers = connected_components(graph, directed=False)
    return numbers.astype(np.intp)


def _links(key: Strings) -> Integers:
    """Pairs (sample, first sample with the same key), shape ``(2, n_links)``."""
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rows = np.flatnonzero(key != "")
    return np.stack([rows, first[inverse[rows]]])
