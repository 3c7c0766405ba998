"""The proposal itself: candidates are tried by really finding the samples, and their pixels by reading some."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from cellfeat.config import Settings
from cellfeat.errors import ConfigError, ManifestError, MissingFileError
from cellfeat.proposing.candidates import Candidate, asked_candidates
from cellfeat.proposing.columns import look_at_columns
from cellfeat.proposing.files_table import ID_COLUMN, joined, match_by_well, resolved_files, write_files_table
from cellfeat.proposing.grouping import best_grouping, groupings
from cellfeat.proposing.intensities import KEY as INTENSITY
from cellfeat.proposing.intensities import choose_intensity, sample_images
from cellfeat.proposing.labelling import Listed, label_choices, listed_in_table
from cellfeat.proposing.no_cells import Refused, why_no_cells, why_no_labels
from cellfeat.proposing.pixels import channel_choices, plane_choice, separate_choice
from cellfeat.proposing.proposal import NONE, Answers, Choice, Proposal, Question
from cellfeat.proposing.proposed_settings import proposed_settings, with_given
from cellfeat.proposing.reading import Reading
from cellfeat.proposing.seeing import label_remarks, layout_reason, pixel_problems, sample_lines
from cellfeat.proposing.survey import MOST_TABLES, Survey, tables_beside
from cellfeat.proposing.tables import Table, best_id_match, read_tables
from cellfeat.proposing.whole_fields import field_choices
from cellfeat.proposing.words import COARSE, role_of_word
from cellfeat.samples.fields.boxes import NoCropSizeError
from cellfeat.samples.group_columns import groups_of
from cellfeat.samples.manifest import Manifest, build_manifest
from cellfeat.samples.worker_pool import sample_reader
from cellfeat.text import first_ten


@dataclass(frozen=True)
class _Tried:
    """Settings, and the samples that they give; `listed` is the table that describes them."""

    listed: Listed | None
    choices: tuple[Choice, ...]
    manifest: Manifest


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
        If the table cannot be read or does not belong to the images, or no layout fits.
    ConfigError
        If an answer is no valid setting.
    """
    tables, problems = _tables(survey, labels, target)
    tried, without_cells = _as_fields(survey, tables, answers)
    if tried is None:
        tried = _first_that_fits(survey, tables, answers, target, is_given=labels not in (None, NONE))
    tried = _with_group(tried, answers)
    settings = proposed_settings(tried.choices, answers)
    n_channels = len(settings.images.channels)
    reader = sample_reader(tried.manifest, None, max_pixels=settings.images.max_pixels)
    samples, unread = sample_images(reader, len(tried.manifest))
    choices = [_doubted(choice, survey, target) if labels is None else choice for choice in tried.choices]
    if not answers.given(INTENSITY) and samples:
        choices.append(choose_intensity(list(samples.values()), n_channels))
    choices += separate_choice(n_channels)
    # Where none can be read, extract says why and stops.
    if unread and samples and not answers.given("extraction.on_error"):
        reason = f"{len(unread)} of {len(unread) + len(samples)} samples that were tried cannot be read"
        choices.append(Choice("extraction.on_error", "quarantine", f"{reason}: they are listed and left out", True))
    settings = proposed_settings(choices, answers)
    return Proposal(
        seen=tuple(sample_lines(tried.manifest, _used(tables, survey, settings, is_given=labels is not None))),
        choices=tuple(with_given(choices, answers)),
        remarks=(
            *without_cells,
            *problems,
            *pixel_problems(survey, unread),
            *tried.manifest.remarks,
            *label_remarks(tried.manifest),
        ),
        settings=settings,
        manifest=tried.manifest,
    )


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


def _as_fields(survey: Survey, tables: Sequence[Table], answers: Answers) -> tuple[_Tried | None, list[str]]:
    """Take the images as whole fields, where there are masks or positions of their cells; otherwise None, and why."""
    if answers.given("images.layout") and answers.settings["images.layout"] != "fields":
        return None, []
    refused: list[Refused] = []
    for offered in field_choices(survey, tables):
        choices = offered
        try:
            if not answers.given("images.fields.crop_size"):
                choices = [*offered, _crop_size(offered, answers)]
            settings = proposed_settings(choices, answers)
            manifest = build_manifest(settings.images, settings.labels)
        except (ManifestError, MissingFileError, ConfigError) as error:
            refused.append((offered, str(error)))
            continue
        return _Tried(None, tuple(choices), manifest), why_no_labels(choices, refused)
    why = why_no_cells(survey, refused)
    return None, [why] if why else []


def _crop_size(choices: Sequence[Choice], answers: Answers) -> Choice:
    """The crop size that fits the cells: building the samples without one says which."""
    settings = proposed_settings(choices, answers)
    try:
        build_manifest(settings.images, settings.labels)
    except NoCropSizeError as error:
        return Choice("images.fields.crop_size", error.fitting, error.found, is_guess=True)
    raise ManifestError("no cells")


def _first_that_fits(
    survey: Survey, tables: Sequence[Table], answers: Answers, target: FilesTarget, *, is_given: bool
) -> _Tried:
    """Try candidates until one gives samples; labels of a table come before those of names."""
    listed = listed_in_table(survey, tables, answers)
    resolved = resolved_files(survey, tables) if listed is None else None
    if resolved is not None:
        listed = _of_files(survey, write_files_table(resolved, target.file, replaces=target.replaces), ())
    settings = answers.settings
    named = settings.get("images.layout"), settings.get("images.pattern")
    offered = asked_candidates(survey, *named) if listed is None else []
    if listed is None and offered:
        offered, listed = _with_table(survey, offered, tables, answers, target, is_given=is_given)
    if listed and listed.files:
        offered = [Candidate("table", None, (), survey.names, Reading(""))]
    reasons: list[str] = []
    for candidate in offered or [_no_candidate(survey)]:
        try:
            return _try(survey, candidate, listed, answers)
        except (ManifestError, MissingFileError, ConfigError) as error:
            reasons.append(str(error))
    raise ManifestError(
        f"{survey.root}: found {len(survey.names)} images, such as {first_ten(survey.names[:3])}, but no settings that "
        f"fit them. The likeliest failed: {reasons[0]}"
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
    match = _chosen_table(matches, answers)
    if match:
        offered = [offered[match.form], *(one for one in offered if one is not offered[match.form])]
    # Wells have the same names on all plates, so a table by well must lie with its images, or be named.
    near = [table for table in tables if is_given or table.file in survey.tables]
    by_well = match_by_well(near, offered[0]) if not matches and offered[0].reading.groups else None
    if not matches and by_well is None and is_given:
        raise ManifestError(_no_match(tables[0], offered[0]))
    if by_well is not None or offered[0].needs_table:
        table = write_files_table(joined(offered[0], by_well, match), target.file, replaces=target.replaces)
        return offered, _of_files(survey, table, offered[0].incomplete)
    return offered, Listed(match.table, match.column, match.columns, match.share) if match else None


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


def _no_candidate(survey: Survey) -> Candidate:
    raise ManifestError(
        f"{survey.root}: the names of its {len(survey.names)} images, such as {first_ten(survey.names[:3])}, give no "
        "sample an id of its own; list the files in a table, and name it with --labels FILE"
    )


def _chosen_table(matches: Sequence[Any], answers: Answers) -> Any:
    """The table that describes the images; where two do, the user is asked."""
    if len(matches) < 2:
        return matches[0] if matches else None
    names = tuple(str(match.table.file) for match in matches)
    answer = answers.ask(Question("labels.file", "Which table describes the samples?", (*names, NONE), names[0]))
    return None if answer == NONE else matches[names.index(answer)]


def _try(survey: Survey, candidate: Candidate, listed: Listed | None, answers: Answers) -> _Tried:
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
    channels, remark = channel_choices(survey, candidate, listed)
    images += [*channels, *plane_choice(survey)]
    choices = [*images, *choices]
    settings = proposed_settings(choices, answers)
    manifest = build_manifest(settings.images, settings.labels)
    if not len(manifest):
        raise ManifestError("no samples")
    told = listed.remarks if listed else ()
    manifest = replace(manifest, remarks=(*told, *remark, *manifest.remarks))
    return _Tried(listed, tuple(choices), manifest)


def _pattern_reason(candidate: Candidate) -> str:
    n_files = candidate.n_files
    fits = (
        f"all {n_files:,} images fit"
        if n_files == len(candidate.names)
        else (f"{n_files:,} of {len(candidate.names):,} images fit")
    )
    words = [name for name in candidate.reading.columns if f"{{{name}}}" in (candidate.pattern or "")]
    return f"{fits}; what {', '.join(words)} stand for is read from the names" if words else fits


def _with_group(tried: _Tried, answers: Answers) -> _Tried:
    """Choose the group, out of columns of the table first, and find the samples again with it."""
    if answers.given("labels.group"):
        return tried
    found = groupings(tried.manifest.table, _group_columns(tried))
    best = best_grouping(found)
    if best is None and not found:
        return tried
    options = tuple("+".join(one.columns) for one in found)
    # Cells of one field are never apart: they may share pixels.
    fallback = options[-1] if tried.manifest.crops is not None else NONE
    default = "+".join(best.columns) if best else fallback
    question = "Which samples belong together (never split between training and test)?"
    answer = answers.ask(Question("labels.group", question, (*options, NONE), default))
    if answer == NONE:
        told = ", ".join(options)
        reason = f"none: some class is in one {found[0].role} alone, so {told} cannot be kept together in folds"
        return replace(tried, choices=(*tried.choices, Choice("labels.group", None, reason, is_guess=True)))
    chosen = found[options.index(answer)]
    value: Any = chosen.columns[0] if len(chosen.columns) == 1 else list(chosen.columns)
    reason = f"{chosen.n_groups} groups, the coarsest that leave each class in at least {chosen.least} of them"
    choices = (*tried.choices, Choice("labels.group", value, reason, is_guess=not answers.asks))
    settings = proposed_settings(choices, answers)
    if tried.manifest.crops is not None:
        return replace(tried, choices=choices, manifest=build_manifest(settings.images, settings.labels))
    # Finding all samples again would double the time of a large folder.
    grouped = tried.manifest.table.assign(group=groups_of(tried.manifest.table, settings.labels))
    return replace(tried, choices=choices, manifest=replace(tried.manifest, table=grouped))


def _group_columns(tried: _Tried) -> dict[str, str]:
    """The column of each role that a group may have."""
    columns = tried.manifest.table.columns
    in_names = {role: name for role in COARSE for name in (role, f"{role}_in_name") if name in columns}
    if tried.manifest.crops is not None:
        in_tables = {role: name for name in tried.manifest.columns if (role := role_of_word(name)) in COARSE and role}
        return {**in_tables, "site": "field"}
    from_table = tried.listed.columns.groups if tried.listed else {}
    return {role: name for role, name in {**in_names, **from_table}.items() if name in columns}
