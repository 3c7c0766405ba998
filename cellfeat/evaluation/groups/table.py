"""Read a table of groups, as the audit writes it: a group for each sample id."""

from pathlib import Path

import numpy as np
import pandas as pd

from cellfeat.config import MISSING_WORDS
from cellfeat.errors import SplitError
from cellfeat.evaluation.remarks import Say
from cellfeat.extraction.store import Samples
from cellfeat.samples.labels.missing import without_missing
from cellfeat.storage.url import Location
from cellfeat.text import first_ten
from cellfeat.types import Strings

GROUP_COLUMNS = ("sample_id", "group")
"""Columns of a table of groups."""


def groups_in_file(samples: Samples, path: Path, where: Location, say: Say) -> Strings:
    """Give the group of each sample, as a table names them.

    Parameters
    ----------
    samples
        The samples.
    path
        The table.
    where
        What the samples are from, for messages.
    say
        Receives how many samples of the table the features lack, and which groups are taken as missing.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``""`` where a sample has none.

    Raises
    ------
    SplitError
        If it lacks these columns or some samples, or names several groups for one.
    """
    group_of = _group_of_sample(path, say)
    ids = samples.ids.tolist()
    absent = [name for name in ids if name not in group_of]
    if absent:
        raise SplitError(
            f"{path}: lacks {len(absent)} samples of {where}: {first_ten(absent)}; "
            "add them (an empty group joins nothing), or audit these features again"
        )
    foreign = sorted(group_of.keys() - set(ids))
    if foreign:
        say(
            f"{path}: {len(foreign)} of its {len(group_of)} samples are not in {where}: {first_ten(foreign)}; "
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
