"""What `cellfeat init` says that it sees."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from cellfeat.config import FieldsSettings, LabelsSettings, Settings
from cellfeat.errors import ManifestError
from cellfeat.proposing.candidates import Candidate
from cellfeat.proposing.files_table import ID_COLUMN
from cellfeat.proposing.labelling import Listed
from cellfeat.proposing.stacks import stack_lines
from cellfeat.proposing.survey import Survey
from cellfeat.proposing.tables import Table
from cellfeat.proposing.words import COARSE, role_of_word
from cellfeat.samples.fields.tables import position_columns
from cellfeat.samples.labels.table import file_columns, group_columns
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.manifest.value_remarks import value_remarks
from cellfeat.text import counted, first_ten


def survey_lines(survey: Survey) -> Iterator[str]:
    """Say what a folder holds: images, their sizes and types, and what is left out."""
    endings = Counter(name.rpartition(".")[2].lower() for name in survey.names)
    kinds = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common(4))
    yield f"images: {len(survey.names):,} in {survey.root} ({kinds}), such as {first_ten(survey.names[:2])}"
    if survey.examples:
        yield f"pixels: {_pixels(survey)} ({len(survey.examples)} images were read)"
        yield from stack_lines(survey.examples)
    left_out = [(survey.masks, "named like masks"), (survey.previews, "named like previews, composites or copies")]
    for names, what in left_out:
        if names:
            yield f"left out: {len(names):,} images {what}, such as {names[0]}"


def sample_lines(manifest: Manifest, tables: Sequence[Table]) -> Iterator[str]:
    """Say which tables and samples there are.

    Parameters
    ----------
    manifest
        The samples.
    tables
        The tables that were read.
    """
    if tables:
        told = first_ten(f"{table.file} ({len(table.cells):,} rows)" for table in tables)
        yield f"tables: {told}"
    yield f"samples: {_samples(manifest)}"


def _pixels(survey: Survey) -> str:
    sizes = Counter(example.size for example in survey.examples)
    heights, widths = zip(*sizes, strict=True)
    size = (
        f"{widths[0]} x {heights[0]}"
        if len(sizes) == 1
        else (f"{min(widths)} to {max(widths)} x {min(heights)} to {max(heights)}")
    )
    types = sorted({(example.dtype, example.bits) for example in survey.examples})
    told = " and ".join(f"{dtype} ({bits} bits stated)" for dtype, bits in types)
    return f"{size}, {told}, {_channels(survey)}"


def _channels(survey: Survey) -> str:
    if all(example.grey_plane is not None for example in survey.examples):
        return "1 channel a file, saved as RGB"
    planes = sorted({len(example.planes) for example in survey.examples})
    return f"{' or '.join(map(str, planes))} channel{'s' if planes != [1] else ''} a file"


def _samples(manifest: Manifest) -> str:
    counts = Counter(label for label in manifest.table["label"] if label)
    if not counts:
        return f"{len(manifest):,}, without labels"
    told = first_ten(f"{label} ({count:,})" for label, count in counts.most_common())
    return f"{len(manifest):,} of {len(counts)} classes: {told}"


def label_remarks(manifest: Manifest, labels: LabelsSettings) -> list[str]:
    """Say what is strange about labels and groups, and what to do where there are no labels, or only one class.

    Parameters
    ----------
    manifest
        The samples.
    labels
        The proposal.
    """
    n_classes = len(set(manifest.table["label"]) - {""})
    if n_classes > 1:
        return value_remarks(manifest)
    found = "only one class was found" if n_classes else "no labels were found"
    advice = "name a table with --labels TABLE"
    if labels.file is not None:
        own = {labels.id, *group_columns(labels), *file_columns(labels), ID_COLUMN}
        others = [name for name in manifest.columns if name not in own]
        # A plate or a field is seldom the class.
        columns = [name for name in others if role_of_word(name) not in COARSE] or others
        if columns:
            advice = (
                f"name the column of classes with --label COLUMN ({first_ten(columns)}), or a table with --labels TABLE"
            )
    return [f"{found}: extract works without, and compare needs two classes; {advice}"]


def unused_tables(tables: Sequence[Table], settings: Settings, manifest: Manifest) -> list[str]:
    """Say why tables in the folder are not used.

    Parameters
    ----------
    tables
        The tables that were read.
    settings
        The proposal.
    manifest
        The samples.
    """
    if settings.labels.file is not None:
        return []
    return why_unused(tables, first_ten(manifest.table["sample_id"].tolist()[:2]))


def why_unused(tables: Sequence[Table], ids: str) -> list[str]:
    """Say why each of some tables does not describe the images.

    Parameters
    ----------
    tables
        The tables.
    ids
        Some ids of the images, for messages.
    """
    said: dict[str, list[tuple[Table, str]]] = {}
    for table in tables:
        line = not_pixels(table) or _drawn_as_plate(table) or _without_ids(table, ids)
        said.setdefault(line.replace(str(table.file), ""), []).append((table, line))
    return [_of_all(alike) for alike in said.values()]


def _without_ids(table: Table, ids: str) -> str:
    names = first_ten(map(str, table.cells.columns))
    return (
        f"{table.file} is not used: none of its columns ({names}) holds the ids of the images, such as {ids}, names of "
        "files, or wells; upper and lower case must agree"
    )


def _of_all(alike: Sequence[tuple[Table, str]]) -> str:
    """What is said of the first of some tables, and that it holds for the others."""
    (_, line), *others = alike
    names = first_ten([table.file.name for table, _ in others][:3])
    return line if not others else f"{line}; the same holds for {counted(len(others), 'other table')}, such as {names}"


def _drawn_as_plate(table: Table) -> str | None:
    """Say that a table is drawn like a plate; None where it is not."""
    names = list(map(str, table.cells.columns))
    if len(names) < 2 or not all(re.fullmatch(r"0?[1-9]|1\d|2[0-4]", name) for name in names):
        return None
    return (
        f"{table.file} is not used: it is drawn like a plate, with columns {names[0]} to {names[-1]}; write a table "
        "with a row for each well, and columns such as well and label"
    )


def not_pixels(table: Table) -> str | None:
    """Say that positions of a table are in micrometres; None where they are not."""
    try:
        position_columns(list(map(str, table.cells.columns)), FieldsSettings(), f"{table.file} is not used")
    except ManifestError as error:
        return str(error)
    return None


def layout_reason(candidate: Candidate, listed: Listed | None) -> tuple[str, str, bool]:
    """Give the layout, why, and whether it is a guess.

    Parameters
    ----------
    candidate
        The layout that fits the names.
    listed
        The table that describes the samples.
    """
    if listed and listed.files:
        return "table", "the table names the file of each sample", False
    reasons = {
        "folders": "one image for each sample, in folders",
        "split_folders": "folders for the parts of a split, with class folders",
        "pattern": "the names of the files say which sample and channel each is",
    }
    is_class = candidate.layout == "folders" and not listed
    return candidate.layout, reasons[candidate.layout] + (" that are the classes" if is_class else ""), is_class


def pixel_problems(survey: Survey | None, unread: Sequence[str]) -> list[str]:
    """Say which images cannot be read.

    Parameters
    ----------
    survey
        The images that were looked at; None where there are no image files.
    unread
        Messages about samples that could not be read.
    """
    problems = list(dict.fromkeys([*unread, *(survey.unreadable if survey else ())]))
    return [f"cannot be read: {problem}" for problem in problems[:3]] + (
        [f"… and {len(problems) - 3} more that cannot be read"] if len(problems) > 3 else []
    )
