"""The proposal itself: candidates are tried by really finding the samples, and their pixels by reading some."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cellfeat.config import Settings
from cellfeat.errors import ConfigError, ManifestError, MissingFileError
from cellfeat.proposing.annotations import annotation_advice, annotations
from cellfeat.proposing.candidates import Candidate, asked_candidates, candidates, candidates_of_files
from cellfeat.proposing.columns import look_at_columns
from cellfeat.proposing.completing import Tried, completed, settings_of
from cellfeat.proposing.files_table import (
    ID_COLUMN,
    joined,
    joined_to_files,
    match_by_well,
    plate_remarks,
    resolved_files,
    without_plates,
    write_files_table,
)
from cellfeat.proposing.labelled_part import labelled_part
from cellfeat.proposing.labelling import Listed, chosen_table, label_choices, listed_in_table
from cellfeat.proposing.no_cells import Refused, why_no_cells, why_no_labels
from cellfeat.proposing.pages import cells_in_pages, check_pages
from cellfeat.proposing.pixels import channel_choices
from cellfeat.proposing.proposal import NONE, Answers, Choice, Proposal
from cellfeat.proposing.reading import Reading
from cellfeat.proposing.seeing import layout_reason, not_pixels, sample_lines, unused_tables, why_unused
from cellfeat.proposing.stacks import plane_choices
from cellfeat.proposing.survey import MOST_TABLES, Survey, tables_beside
from cellfeat.proposing.tables import Table, best_id_match, check_named_columns, has_unique_ids, read_tables
from cellfeat.proposing.unread_labels import unread_labels
from cellfeat.proposing.whole_fields import field_choices
from cellfeat.samples.fields.boxes import NoCropSizeError
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.text import first_ten


class FilesTarget(NamedTuple):
    """Where a table of files is written, if one is needed, and whether it replaces an earlier one."""

    file: Path
    replaces: bool = False


def propose(survey: Survey, labels: Path | str | None, answers: Answers, target: FilesTarget) -> Proposal:
    """Propose settings for the images of a folder.

    Parameters
    ----------
    survey
        What the folder holds.
    labels
        The table of labels, ``"none"`` where there is none, or None to look for one.
    answers
        What the user knows already, and how to ask.
    target
        Where a table of files goes: one is written if no pattern fits the names, or labels are by well.

    Raises
    ------
    MissingFileError, ManifestError
        If no image can be read, files hold many pages of unknown meaning, the table cannot be read or does not belong
        to the images, or no layout fits.
    ConfigError
        If an answer is no valid setting.
    """
    if survey.unreadable and not survey.examples:
        told = f"none of {len(survey.unreadable)} images that were tried can be read"
        raise ManifestError(f"{told}, such as {survey.unreadable[0]}")
    check_pages(survey, answers)
    tables, problems = _tables(survey, labels, target)
    check_named_columns(tables, {f"--{key}": answers.settings.get(f"labels.{key}") for key in ("id", "label", "split")})
    tried, without_cells = _as_fields(survey, tables, answers)
    if tried is None:
        try:
            tried = _first_that_fits(survey, tables, answers, target, is_given=labels not in (None, NONE))
        except ManifestError as error:
            # What is wrong with the masks or the table of cells is the reason why images are tried as samples.
            raise ManifestError("\n".join([*without_cells, str(error), *problems])) from error
    choices = [_doubted(choice, survey, target) if labels is None else choice for choice in tried.choices]
    found = completed(choices, answers, listed=tried.listed, manifest=tried.manifest, survey=survey)
    if tried.listed is None and tried.manifest.crops is None:
        problems += unused_tables(tables, found.settings, found.manifest)
    problems += _unread(survey, found.manifest) if labels is None else []
    used = _used(tables, survey, found.settings, is_given=labels is not None)
    as_samples = (f"each image is one sample: {why}" for why in without_cells)
    remarks = (*as_samples, *problems, *found.remarks)
    return replace(found, seen=tuple(sample_lines(found.manifest, used)), remarks=remarks)


def _unread(survey: Survey, manifest: Manifest) -> list[str]:
    """Name files that may say where cells are, or of what class, and are not read."""
    has_labels = bool(manifest.table["label"].any())
    if has_labels and manifest.crops is not None:
        return []
    of_images = annotations(survey, manifest)
    told = [annotation_advice(of_images)] if of_images else []
    return told if has_labels else [*unread_labels(survey, set(of_images)), *told]


def _tables(survey: Survey, labels: Path | str | None, target: FilesTarget) -> tuple[list[Table], list[str]]:
    if labels == NONE:
        return [], []
    if labels is not None:
        return read_tables([Path(labels)], is_given=True)
    if not survey.tables:
        # Tables beside the folder may be about anything: those that fit no image are passed over in silence.
        beside = _without(tables_beside(survey.folder), target.file)
        return read_tables(beside[:MOST_TABLES], is_given=False)[0], []
    inside = _without(survey.tables, target.file)
    found, problems = read_tables(inside[:MOST_TABLES], is_given=False)
    if len(inside) > MOST_TABLES:
        problems.append(f"{len(inside)} tables: only the first {MOST_TABLES} were tried; name yours: --labels FILE")
    return found, problems


def _without(files: Sequence[Path], written: Path) -> list[Path]:
    """Tables without the one that an earlier call wrote."""
    return [file for file in files if file.resolve() != written.resolve()]


def _used(tables: Sequence[Table], survey: Survey, settings: Settings, *, is_given: bool) -> list[Table]:
    """The tables to speak of: those in the folder, and one beside it only if it is used."""
    chosen = settings.labels.file
    return [table for table in tables if is_given or table.file in survey.tables or table.file == chosen]


def _doubted(choice: Choice, survey: Survey, target: FilesTarget) -> Choice:
    """A table beside the folder is a guess."""
    beside = _without(tables_beside(survey.folder), target.file)
    is_beside = choice.key == "labels.file" and choice.value and Path(choice.value) in beside
    return choice._replace(is_guess=True, reason=f"{choice.reason}; it lies beside the folder") if is_beside else choice


def _as_fields(survey: Survey, tables: Sequence[Table], answers: Answers) -> tuple[Tried | None, list[str]]:
    """Take the images as whole fields, where there are masks or positions of their cells; otherwise None, and why."""
    if answers.given("images.layout") and answers.settings["images.layout"] != "fields":
        return None, []
    refused: list[Refused] = []
    for offered in field_choices(survey, tables):
        choices = offered
        try:
            if not answers.given("images.fields.crop_size"):
                choices = [*offered, _crop_size(offered, answers)]
            settings = settings_of(choices, answers)
            manifest = build_manifest(settings.images, settings.labels)
        except (ManifestError, MissingFileError, ConfigError) as error:
            refused.append((offered, str(error)))
            continue
        return Tried(None, tuple(choices), manifest), why_no_labels(choices, refused)
    why = why_no_cells(survey, refused)
    return None, [why] if why else []


def _crop_size(choices: Sequence[Choice], answers: Answers) -> Choice:
    """The crop size that fits the cells: building the samples without one says which."""
    settings = settings_of(choices, answers)
    try:
        build_manifest(settings.images, settings.labels)
    except NoCropSizeError as error:
        return Choice("images.fields.crop_size", error.fitting, error.found, is_guess=True)
    raise ManifestError("no cells")


def _first_that_fits(
    survey: Survey, tables: Sequence[Table], answers: Answers, target: FilesTarget, *, is_given: bool
) -> Tried:
    """Try candidates until one gives samples; labels of a table come before those of names."""
    listed = listed_in_table(survey, tables, answers)
    resolved = resolved_files(survey, tables) if listed is None else None
    if resolved is not None:
        listed = _of_files(survey, write_files_table(resolved, target.file, replaces=target.replaces), ())
    if listed and listed.files and not listed.columns.labels:
        listed = _with_labels_by_well(listed, tables, target)
    settings = answers.settings
    named = settings.get("images.layout"), settings.get("images.pattern")
    offered = asked_candidates(survey, *named) if listed is None else []
    if listed is None and not offered and not any(named):
        # Channels in the names leave no ids: a table may list each file as a sample.
        offered = _listed_by_table(survey, tables)
    if listed is None and offered:
        offered, listed = _with_table(survey, offered, tables, answers, target, is_given=is_given)
        part = labelled_part(survey, offered[0], listed) if listed and not any(named) else None
        if part and listed:
            survey, remark = part
            own = [listed.table]
            offered, found = _with_table(survey, candidates(survey), own, answers, target, is_given=is_given)
            listed = replace(found, remarks=(remark, *found.remarks), rivals=listed.rivals) if found else None
    if listed and listed.files:
        offered = [Candidate("table", None, (), survey.names, Reading(""))]
    reasons: list[str] = []
    for candidate in offered or [_no_candidate(survey, tables)]:
        try:
            return _try(survey, candidate, listed, answers)
        except (ManifestError, MissingFileError, ConfigError) as error:
            reasons.append(str(error))
    # A table of cells has several rows for an image, and is refused for that where their places are unknown.
    reason = next(filter(None, map(not_pixels, tables)), reasons[0])
    raise ManifestError(
        f"{survey.root}: found {len(survey.names)} images, such as {first_ten(survey.names[:3])}, but no settings that "
        f"fit them. The likeliest failed: {reason}"
    )


def _with_table(
    survey: Survey,
    offered: list[Candidate],
    tables: Sequence[Table],
    answers: Answers,
    target: FilesTarget,
    *,
    is_given: bool,
) -> tuple[list[Candidate], Listed | None]:
    """Find the table that describes the samples: by their ids, or by wells in their names."""
    matches = best_id_match(tables, [one.ids for one in offered])
    # Wells have the same names on all plates, so a table by well must lie with its images, or be named.
    near = [table for table in tables if is_given or table.file in survey.tables]
    by_well = match_by_well(near, offered[0]) if offered[0].reading.groups and not has_unique_ids(matches) else None
    if by_well is not None:
        matches = []
    chosen = chosen_table([match.table for match in matches], answers)
    match = next((one for one in matches if one.table is chosen), None)
    rivals = tuple(str(one.table.file) for one in matches if one is not match)
    if match:
        offered = [offered[match.form], *(one for one in offered if one is not offered[match.form])]
    if not matches and by_well is None and is_given:
        raise ManifestError(_no_match(tables[0], offered[0]))
    if by_well is not None or offered[0].needs_table:
        table = write_files_table(joined(offered[0], by_well, match), target.file, replaces=target.replaces)
        found = _of_files(survey, table, offered[0].incomplete)
        return offered, replace(found, remarks=(*found.remarks, *plate_remarks(by_well, offered[0])))
    if match is None:
        return offered, None
    return offered, Listed(match.table, match.column, match.columns, match.share, rivals=rivals)


def _with_labels_by_well(listed: Listed, tables: Sequence[Table], target: FilesTarget) -> Listed:
    """Join the rows of another table, of wells, to a table of files without labels."""
    found = joined_to_files(listed.table, tables)
    if found is None:
        return listed
    rows, by_well = found
    table = write_files_table(rows, target.file, replaces=target.replaces)
    plate = listed.columns.groups.get("plate")
    told = without_plates(by_well, sorted(set(rows[plate])) if plate else ())
    keys = first_ten(by_well.columns.values())
    remarks = (f"{table.file}: {listed.table.file} with the rows of {by_well.table.file}, by {keys}", *told)
    columns = look_at_columns(rows, listed.id_column)
    return replace(listed, table=table, columns=columns, remarks=(*listed.remarks, *remarks))


def _of_files(survey: Survey, table: Table, incomplete: Sequence[str]) -> Listed:
    """The table of files as the table that describes the samples."""
    columns = look_at_columns(table.cells, ID_COLUMN)
    files = tuple(name for name in table.cells if name in columns.files and str(name).endswith("_file"))
    told = f"left out: {len(incomplete)} samples that lack the file of a channel: {first_ten(incomplete)}"
    return Listed(table, ID_COLUMN, columns, 1.0, files, survey.root, (told,) if incomplete else ())


def _no_match(table: Table, candidate: Candidate) -> str:
    ids = sorted(candidate.ids.exact)[:3]
    columns = first_ten(table.cells.columns)
    return (
        f"{table.file}: no column holds the ids of the images: they are called {', '.join(ids)} …, and the columns are "
        f"{columns}; name the table of these images with --labels FILE, or --labels none"
    )


def _listed_by_table(survey: Survey, tables: Sequence[Table]) -> list[Candidate]:
    """Candidates that take each file as a sample, where a table has ids that are the names of the files."""
    offered = candidates_of_files(survey)
    return offered if best_id_match(tables, [one.ids for one in offered]) else []


def _no_candidate(survey: Survey, tables: Sequence[Table]) -> Candidate:
    told = (
        f"{survey.root}: the names of its {len(survey.names)} images, such as {first_ten(survey.names[:3])}, give no "
        "sample an id of its own; list the files in a table, and name it with --labels FILE"
        f"{cells_in_pages(survey.examples)}"
    )
    inside = [table for table in tables if table.file in survey.tables]
    raise ManifestError("\n".join([told, *why_unused(inside, first_ten(survey.names[:2]))]))


def _try(survey: Survey, candidate: Candidate, listed: Listed | None, answers: Answers) -> Tried:
    choices: list[Choice] = []
    if listed is None:
        choices += label_choices(None, candidate, answers)
    else:
        keeps_label = not (listed.label(answers))
        candidate = candidate.renamed(list(listed.table.cells.columns), keeps_label=keeps_label)
        choices += label_choices(listed, candidate, answers)
    layout, reason, is_guess = layout_reason(candidate, listed)
    images = [
        Choice("images.root", str(listed.root if listed and listed.root else survey.root), "where the images are")
    ]
    images.append(Choice("images.layout", layout, reason, is_guess))
    if layout == "pattern":
        images.append(Choice("images.pattern", candidate.pattern, _pattern_reason(candidate), is_guess=True))
    images += plane_choices(survey.examples)
    channels, remark = channel_choices(survey, candidate, listed)
    images += channels
    choices = [*images, *choices]
    settings = settings_of(choices, answers)
    manifest = build_manifest(settings.images, settings.labels)
    if not len(manifest):
        raise ManifestError("no samples")
    told = listed.remarks if listed else ()
    manifest = replace(manifest, remarks=(*told, *remark, *manifest.remarks))
    return Tried(listed, tuple(choices), manifest)


def _pattern_reason(candidate: Candidate) -> str:
    n_files = candidate.n_files
    fits = (
        f"all {n_files:,} images fit"
        if n_files == len(candidate.names)
        else (f"{n_files:,} of {len(candidate.names):,} images fit")
    )
    words = [name for name in candidate.reading.columns if f"{{{name}}}" in (candidate.pattern or "")]
    return f"{fits}; the meaning of {', '.join(words)} is read from the names" if words else fits
