"""Which samples belong together: donor, plate, well or field, out of columns or names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from cellfeat.proposing.words import COARSE
from cellfeat.text import counted

N_FOLDS = 5
FIELD = "field"
"""The column of the field of each crop, whose values are different on all plates."""
_WITHIN = {
    "well": ("plate", "well"),
    "row": ("plate", "row", "column"),
    "column": ("plate", "row", "column"),
    "site": ("plate", "well", "row", "column", "site"),
    "replicate": ("day", "batch", "plate", "replicate"),
}
"""Numbers of wells and fields start again on each plate, so a group is named by the plate as well."""


@dataclass(frozen=True)
class Grouping:
    """Columns whose values together name a group.

    Attributes
    ----------
    columns
        The columns.
    role
        What the group is, in words.
    n_groups
        Number of groups.
    least
        Number of groups of the class that has fewest.
    """

    columns: tuple[str, ...]
    role: str
    n_groups: int
    least: int


def groupings(table: pd.DataFrame, columns: Mapping[str, str], series: tuple[str, ...] = ()) -> list[Grouping]:
    """Give the groups that there may be, from the coarsest to the finest.

    Parameters
    ----------
    table
        The samples, with ``label`` and the columns of groups.
    columns
        Name of the column of each role, such as ``plate``.
    series
        Column of the movie or stack whose frames are samples; empty where there is none.
    """
    found: list[Grouping] = []
    for role in COARSE:
        if role not in columns:
            continue
        within = _WITHIN.get(role, (role,)) if columns[role] != FIELD else (role,)
        names = _names_of(columns, within)
        if all(names != other.columns for other in found):
            found.append(_grouping(table, names, role))
    if series and best_grouping(found) is None:
        # Numbers of movies start again in each well and on each plate.
        found.append(
            _grouping(table, (*_names_of(columns, ("plate", "well", "row", "column", "site")), *series), "movie")
        )
    return [one for one in found if 1 < one.n_groups < len(table) and not _starts_again(table, one)]


def _names_of(columns: Mapping[str, str], roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(columns[one] for one in roles if one in columns)


def _starts_again(table: pd.DataFrame, grouping: Grouping) -> bool:
    """Whether numbers alone name the groups, and start again in each class: the same number means nothing then."""
    if grouping.role not in ("site", "replicate") or len(grouping.columns) > 1:
        return False
    return not table[["label", *grouping.columns]].duplicated().any()


def _grouping(table: pd.DataFrame, names: tuple[str, ...], role: str) -> Grouping:
    rows = zip(*(table[name] for name in names), strict=True)
    keys = pd.Series(["/".join(values) if all(values) else "" for values in rows], index=table.index, dtype=object)
    known = pd.DataFrame({"group": keys, "label": table["label"]})[(keys != "") & (table["label"] != "")]
    per_class = known.groupby("label")["group"].nunique()
    least = int(per_class.min()) if len(per_class) else keys.nunique()
    return Grouping(names, role, int(keys[keys != ""].nunique()), least)


def best_grouping(found: Sequence[Grouping]) -> Grouping | None:
    """Take the coarsest groups of which each class has enough for the folds; else those of which it has most.

    Samples of one plate or donor resemble each other, so coarse groups give the honest score; but each class needs
    several groups, because one group is never split between training and test.
    """
    enough = [one for one in found if one.least >= N_FOLDS]
    if enough:
        return enough[0]
    several = [one for one in found if one.least > 1]
    return max(several, key=lambda one: one.least, default=None)


def price_of(chosen: Grouping, found: Sequence[Grouping]) -> str:
    """Say what scores do not show because coarser groups are split; empty where no group is coarser.

    Parameters
    ----------
    chosen
        The groups that were chosen.
    found
        All groups that there may be, from the coarsest to the finest.
    """
    coarser = found[: found.index(chosen)]
    if not coarser:
        return ""
    first = coarser[0]
    if first.least < 2:
        return f"some class is in one {first.role} alone, so no score can tell the class from the {first.role}"
    return (
        f"some class is in {counted(first.least, first.role)} alone, few for {N_FOLDS} folds, so samples of one "
        f"{first.role} are in training and in test, and scores do not say how a new {first.role} fares; "
        f"--group {','.join(first.columns)} keeps each whole"
    )
