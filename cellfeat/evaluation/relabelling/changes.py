"""A table of changed labels, as the page exports it: what each label was, what it is now, and what the person had seen.

Columns, in any order: ``sample_id``, ``label`` (the new label, or the kept one; empty: none), ``label_before`` and
``seen``: ``prediction`` where the person had seen what a head predicts, ``blind`` where that was hidden. ``head`` and
``predicted`` are read where they are there; further columns are ignored. Samples that the table does not name keep
the label of the feature file. Several rows of one sample are changes one after the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from cellfeat.errors import ManifestError
from cellfeat.evaluation.relabelling.judged import Judged
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.extraction.store import Features
from cellfeat.samples.labels.id_matching import match_ids, matching_remark
from cellfeat.samples.tables.file import RawTable, read_table_file
from cellfeat.storage.url import Location, as_location
from cellfeat.text import first_ten

ID, LABEL, BEFORE, SEEN = "sample_id", "label", "label_before", "seen"
PREDICTION, BLIND = "prediction", "blind"
_NEEDED = (ID, LABEL, BEFORE, SEEN)


@dataclass(frozen=True)
class Change:
    """A label that a person judged.

    Attributes
    ----------
    sample_id
        The sample.
    before, label
        The label before and now; equal where the person kept it, ``""`` where there is none.
    is_seen
        Whether the person had seen what a head predicts.
    head, predicted
        The head, and what it predicts; ``""`` where the table does not say.
    """

    sample_id: str
    before: str
    label: str
    is_seen: bool
    head: str = ""
    predicted: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether the label is another one now."""
        return self.label != self.before


@dataclass(frozen=True, eq=False)
class Relabelling(Mapping[str, str]):
    """The labels of a feature file after a table of changes: a mapping from sample id to label, for all samples.

    Attributes
    ----------
    labels
        The label of every sample now, by sample id.
    before
        The label of every sample in the feature file.
    changes
        What was judged, in the order of the table.
    table
        Name of the table.
    """

    labels: Mapping[str, str]
    before: Mapping[str, str]
    changes: Sequence[Change]
    table: str = field(default="changes")

    def __getitem__(self, sample_id: str) -> str:
        return self.labels[sample_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"<Relabelling of {len(self):,} samples: {self.judged.sentences()[0]}>"

    @cached_property
    def changed_after_seeing(self) -> frozenset[str]:
        """Ids of the samples whose label a person changed who had seen a prediction, of whichever head."""
        return frozenset(
            change.sample_id
            for change in self.changes
            if change.is_seen and change.is_changed and self.labels[change.sample_id] != self.before[change.sample_id]
        )

    @cached_property
    def judged(self) -> Judged:
        """How many labels were judged, and how."""
        seen = [change for change in self.changes if change.is_seen]
        blind = [change for change in self.changes if not change.is_seen]
        disagreed = [change for change in blind if change.predicted != change.before]
        knows = bool(blind) and all(change.predicted for change in blind)
        return Judged(
            table=self.table,
            n_changed_seen=sum(change.is_changed for change in seen),
            n_kept_seen=sum(not change.is_changed for change in seen),
            n_changed_blind=sum(change.is_changed for change in blind),
            n_kept_blind=sum(not change.is_changed for change in blind),
            n_blind_disagreed=len(disagreed) if knows else None,
            n_changed_where_disagreed=sum(change.is_changed for change in disagreed) if knows else None,
        )


def is_changes(raw: RawTable) -> bool:
    """Whether a table is one of changes: it has the columns ``label_before`` and ``seen``."""
    return {BEFORE, SEEN} <= set(raw.cells.columns)


def read_relabelling(
    features: Features, table: Location | str, *, ignores_unknown: bool = False, say: Say = ignore_line
) -> Relabelling:
    """Read a table of changed labels, as the page exports it, and apply it to the labels of a feature file.

    Parameters
    ----------
    features
        The samples with the labels that the page showed.
    table
        The table.
    ignores_unknown
        Whether rows of other samples are left out.
    say
        Receives how the table was read, and what was left out.

    Returns
    -------
    Relabelling
        Labels for `cellfeat.compare`, `cellfeat.fit` and `Features.with_labels`.

    Raises
    ------
    MissingFileError
        If the table does not exist.
    ManifestError
        If it lacks a column, names other samples, or was made from other labels; the message names the row.
    """
    location: Location = as_location(table)
    return relabelling_of(features, read_table_file(location), location, ignores_unknown=ignores_unknown, say=say)


def relabelling_of(
    features: Features, raw: RawTable, table: Location, *, ignores_unknown: bool = False, say: Say = ignore_line
) -> Relabelling:
    """Apply a table of changes that was read already.

    Parameters
    ----------
    features, table, ignores_unknown, say
        As for `read_relabelling`.
    raw
        The table as it stands in its file.

    Raises
    ------
    ManifestError
        As `read_relabelling`.
    """
    for line in raw.remarks:
        say(line)
    _check_columns(raw.cells, table)
    cells = raw.cells.apply(lambda column: column.str.strip())
    ids = _known_ids(cells, features, table, say, ignores_unknown=ignores_unknown)
    before = dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))
    labels = dict(before)
    changes = []
    for place, one in ids.items():
        change = _change(cells.loc[place], one, labels[one], f"{table}: {cells.index.name} {place}", features.path)
        labels[one] = change.label
        changes.append(change)
    return Relabelling(labels, before, changes, table.name)


def _check_columns(cells: pd.DataFrame, table: Location) -> None:
    absent = [name for name in _NEEDED if name not in cells.columns]
    if absent:
        raise ManifestError(
            f"{table}: a table of changed labels needs the columns {', '.join(_NEEDED)}; it lacks {', '.join(absent)}: "
            "export it again from the page"
        )


def _known_ids(
    cells: pd.DataFrame, features: Features, table: Location, say: Say, *, ignores_unknown: bool
) -> dict[int, str]:
    """The sample that each row names, by the number of the row."""
    known = set(features.samples.ids.tolist())
    matches = match_ids(cells[ID], known)
    matches |= {one: _without_guard(one) for one in cells[ID] if one not in known and _without_guard(one) in known}
    for line in matching_remark(matches, str(table)):
        say(line)
    meant = {int(place): matches.get(one, one) for place, one in zip(cells.index.tolist(), cells[ID], strict=True)}
    unknown = {place: one for place, one in meant.items() if one not in known}
    told = first_ten(f"{one!r} ({cells.index.name} {place})" for place, one in unknown.items())
    if unknown and not ignores_unknown:
        raise ManifestError(
            f"{table}: expected ids of {features.path}, got {len(unknown)} that it lacks: {told}; give the feature "
            "file of the page that this table was exported from (--features), or remove these rows"
        )
    if unknown:
        say(f"left out: {len(unknown)} changes of samples that are not in {features.path}: {told}")
    return {place: one for place, one in meant.items() if place not in unknown}


def _change(row: "pd.Series[str]", sample_id: str, current: str, where: str, features: Location) -> Change:
    before, label = (_without_guard(row[name]) for name in (BEFORE, LABEL))
    if current not in (before, row[BEFORE]):
        raise ManifestError(
            f"{where}: {BEFORE} of {sample_id!r} is {before!r}, but its label in {features} is {current!r}: the table "
            "was made from other labels. Give the feature file of its page; or, for changes made in several rounds, "
            "one table with the rows of all of them, the first round first"
        )
    seen = row[SEEN].casefold()
    if seen not in (PREDICTION, BLIND):
        raise ManifestError(
            f"{where}: {SEEN} of {sample_id!r} is {row[SEEN]!r}; expected {PREDICTION!r} where the person had seen "
            f"what a head predicts, or {BLIND!r}"
        )
    return Change(
        sample_id,
        current,
        label,
        is_seen=seen == PREDICTION,
        head=row.get("head", ""),
        predicted=_without_guard(row.get("predicted", "")),
    )


def _without_guard(cell: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from running it: see `cellfeat.text.harmless_cell`."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in tuple("=+-@") else cell
