"""Groups of samples that must stay together in one fold."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellfeat.errors import MissingFileError, SplitError, UnknownNameError
from cellfeat.evaluation.groups.table import groups_in_file
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.extraction.store import Features, Samples
from cellfeat.near_copies.duplicate_record import audited_groups
from cellfeat.near_copies.shared_pixels import shared_pixels
from cellfeat.samples.column_names.words import column_meant
from cellfeat.storage.url import Location
from cellfeat.text import near_names
from cellfeat.types import Integers, Strings

TABLE_SUFFIX = ".csv"
"""Ending that distinguishes the name of a table of groups from a column."""

COPIES, NEAR_COPIES = "copies", "near-copies"
GROUP_WORDS = ("auto", COPIES, NEAR_COPIES, "none", "group")
"""Values of `groups` that are not a column."""

ALONE = ("auto", "none")
"""Values of `groups` that cannot be joined to others by `PLUS`."""

PLUS = "+"


def sample_groups(
    features: Features,
    groups: str = "auto",
    *,
    rows: Integers | None = None,
    say: Say = ignore_line,
) -> Integers:
    """Number the groups of samples that must stay together in one fold.

    Exact duplicates are always one group, even where their labels differ, unless `groups` is ``"none"``; so are samples
    whose boxes on one field overlap. Near copies that an audit of these samples found are one group if `groups` is
    ``"auto"`` or names ``near-copies``. Groups that share a sample, or pixels, are joined.

    Parameters
    ----------
    features
        The samples.
    groups
        ``"auto"`` takes the manifest's groups where it has any, and near copies. ``"none"`` makes each sample its own
        group, which shows what leaking copies would add to a score. ``"group"`` requires the manifest's groups.
        ``"copies"`` is ``"auto"`` without near copies, ``"near-copies"`` near copies without the manifest's groups. A
        file name that ends in ``.csv`` is a table of ``sample_id`` and ``group``, as the audit writes it. Any other
        word is a column of the manifest whose equal values form a group; an empty value joins nothing. Several are
        joined by a plus: ``"plate+near-copies"``.
    rows
        Row numbers of the samples whose groups are returned, shape ``(n_rows,)``; None returns all. The other samples
        still join groups.
    say
        Receives how many samples have no group, how many samples of a table the features lack, and where groups would
        separate samples that share pixels.

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
    numbers = all_sample_groups(features, groups, rows=rows, say=say)
    return numbers if rows is None else numbers[rows]


def all_sample_groups(
    features: Features, groups: str = "auto", *, rows: Integers | None = None, say: Say = ignore_line
) -> Integers:
    """Number the groups of all samples, as `sample_groups` does, with remarks about some of them.

    Parameters
    ----------
    features, groups, say
        As for `sample_groups`.
    rows
        Row numbers of the samples that remarks are about, shape ``(n_rows,)``; None for all.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    SplitError, MissingFileError, UnknownNameError
        As `sample_groups`.
    """
    everything = np.arange(len(features.samples.digests))
    rows = everything if rows is None else rows
    if groups == "none":
        return everything
    keys = group_keys(features.samples, groups, features.path, rows=rows, say=say)
    audited = None if groups.endswith(TABLE_SUFFIX) else audited_groups(features)
    if audited is None:
        return join_groups(keys)
    joined = join_groups([*keys, audited])
    if keeps_near_copies(groups):
        return joined
    apart = join_groups(keys)
    n_split = len(np.unique(apart[rows])) - len(np.unique(joined[rows]))
    if n_split and groups != COPIES:
        say(
            f"groups: {groups} leaves out the near copies that the audit found, which would join {n_split} more of "
            f"its groups to others: {groups}{PLUS}{NEAR_COPIES} keeps them together"
        )
    return apart


def group_keys(
    samples: Samples, groups: str, where: Location, *, rows: Integers | None = None, say: Say = ignore_line
) -> list[Strings]:
    """Give the keys whose equal values form groups.

    They are those of exact duplicates, of samples that share pixels of their field, and those that `groups` names.

    Parameters
    ----------
    samples
        The samples.
    where
        What they are from, for messages.
    groups, rows, say
        As for `sample_groups`.

    Returns
    -------
    list of ndarray of shape (n_samples,)

    Raises
    ------
    SplitError, MissingFileError, UnknownNameError
        As `sample_groups`.
    """
    check_groups(groups, samples.columns)
    shared = _shared_keys(samples)
    keys = [samples.digests, *shared]
    if groups == "none":
        return keys
    rows = np.arange(len(samples)) if rows is None else rows
    for term in _terms(groups, samples.columns):
        if term == NEAR_COPIES or (term == COPIES and term != groups):
            continue
        values = _group_values(samples, term, where, say)
        n_missing = np.count_nonzero(values[rows] == "")
        # Without any groups in the manifest, "auto" means copies alone, and no group is missing.
        if n_missing and not (groups in ("auto", COPIES) and n_missing == len(rows)):
            say(
                f"groups: {n_missing} of {len(rows)} samples have no {_group_word(term)}: "
                "each forms its own group, with its copies"
            )
        keys.append(values)
        for key in shared:
            _say_where_separated(term, values[rows], key[rows], say)
    return keys


def _shared_keys(samples: Samples) -> list[Strings]:
    """A key of samples that share pixels of their field; none where samples are whole images."""
    return [] if samples.regions is None else [shared_pixels(samples.regions).keys]


def _say_where_separated(term: str, values: Strings, shared: Strings, say: Say) -> None:
    """Say how many samples a group column would separate from others that share pixels with them."""
    table = pd.DataFrame({"shared": shared, "value": values})[(shared != "") & (values != "")]
    n_values = table.groupby("shared")["value"].transform("nunique")
    if n_samples := int(np.count_nonzero(n_values > 1)):
        say(
            f"groups: {n_samples} samples are linked to samples of another {_group_word(term)} by pixels that they "
            "share on their field: they are kept together all the same"
        )


def keeps_near_copies(groups: str) -> bool:
    """Whether near copies that an audit found are kept together."""
    return groups == "auto" or NEAR_COPIES in groups.split(PLUS)


def _terms(groups: str, columns: Iterable[str]) -> list[str]:
    """The words that `groups` joins by a plus; a column may have a plus in its name."""
    columns = list(columns)
    if groups.endswith(TABLE_SUFFIX):
        return [groups]
    terms = [groups] if groups in columns else groups.split(PLUS)
    return [term if term in GROUP_WORDS else column_meant(term, columns) for term in terms]


def count_copies(pixel_digest: Strings) -> int:
    """Count exact duplicates of earlier samples, from pixel digests of shape ``(n_samples,)``."""
    digests = pixel_digest[pixel_digest != ""]
    return len(digests) - len(np.unique(digests))


def _group_word(groups: str) -> str:
    """What a sample without a group lacks, in words."""
    if groups.endswith(TABLE_SUFFIX):
        return f"group in {groups}"
    return "group" if groups in GROUP_WORDS else groups


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
    columns = list(columns)
    terms = _terms(groups, columns)
    if "label" in terms:
        raise SplitError(
            "groups: expected a column that cuts across the classes, got 'label': each class would be one group, "
            "in the training or in the test part but never in both; name a donor, plate or field column, or 'auto'"
        )
    if groups.endswith(TABLE_SUFFIX):
        if not Path(groups).is_file():
            raise MissingFileError(f"groups: the table {groups} does not exist; `cellfeat audit` writes one")
        return
    valid = [*(word for word in GROUP_WORDS if len(terms) == 1 or word not in ALONE), *columns]
    for term in terms:
        if term not in valid:
            raise UnknownNameError(f"groups: no column is named {term!r}; {near_names(term, valid)}")


def _group_values(samples: Samples, groups: str, where: Location, say: Say) -> Strings:
    if groups == "group" and not (samples.groups != "").any():
        raise SplitError(
            "groups: 'group' was asked for, but the manifest names no groups; set labels.group to the column that "
            "holds them and extract again, or use 'auto' to keep only copies of an image together"
        )
    if groups.endswith(TABLE_SUFFIX):
        return groups_in_file(samples, Path(groups), where, say)
    return samples.groups if groups in GROUP_WORDS else samples.columns[groups]


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
