"""Complete settings that give samples: groups, intensities, and what to do with images that cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cellfeat.config import Settings
from cellfeat.config_sources import Source, combine
from cellfeat.errors import ManifestError
from cellfeat.proposing.grouping import best_grouping, groupings, price_of
from cellfeat.proposing.intensities import KEY as INTENSITY
from cellfeat.proposing.intensities import choose_intensity, sample_images
from cellfeat.proposing.labelling import Listed
from cellfeat.proposing.pixels import separate_choice
from cellfeat.proposing.proposal import NONE, Answers, Choice, Proposal, Question, by_key
from cellfeat.proposing.reading import SERIES
from cellfeat.proposing.seeing import label_remarks, pixel_problems, sample_lines
from cellfeat.proposing.stacks import n_depths, resolution_offer
from cellfeat.proposing.survey import Survey
from cellfeat.proposing.words import COARSE, role_of_word
from cellfeat.samples.layouts.group_columns import groups_of
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.cell_places import misplaced_cells
from cellfeat.samples.reading.worker_pool import sample_reader

NO_LABELS: tuple[tuple[str, Any], ...] = (("labels.file", None), ("labels.label", None), ("labels.group", None))


@dataclass(frozen=True)
class Tried:
    """Settings, and the samples that they give; `listed` is the table that describes them."""

    listed: Listed | None
    choices: tuple[Choice, ...]
    manifest: Manifest


def completed(
    choices: Sequence[Choice],
    answers: Answers,
    *,
    listed: Listed | None = None,
    manifest: Manifest | None = None,
    survey: Survey | None = None,
) -> Proposal:
    """Complete settings that give samples: groups, intensities and what to do with images that cannot be read.

    Parameters
    ----------
    choices
        Settings of images and labels.
    answers
        What the user knows already, and how to ask.
    listed
        The table that describes the samples.
    manifest
        The samples that the settings give; None: they are found.
    survey
        The images that were looked at; None where there are no image files.

    Raises
    ------
    ManifestError
        If no sample can be read, or the settings do not fit.
    """
    examples = survey.examples if survey else ()
    settings = settings_of(choices, answers)
    tried = Tried(listed, tuple(choices), manifest or build_manifest(settings.images, settings.labels))
    tried = _with_group(tried, answers)
    settings = settings_of(tried.choices, answers)
    n_channels = len(settings.images.channels)
    reader = sample_reader(tried.manifest, None, max_pixels=settings.images.max_pixels)
    samples, unread = sample_images(reader, len(tried.manifest), n_depths(examples, settings.images.plane))
    if unread and not samples:
        raise ManifestError(f"none of {len(unread)} samples that were tried can be read. The first: {unread[0]}")
    choices = list(tried.choices)
    if not answers.given(INTENSITY) and samples:
        choices.append(choose_intensity(list(samples.values()), n_channels))
    choices += separate_choice(n_channels)
    if unread and not answers.given("extraction.on_error"):
        reason = f"{len(unread)} of {len(unread) + len(samples)} images that were tried cannot be read"
        choices.append(Choice("extraction.on_error", "quarantine", f"{reason}: they are listed and left out", True))
    settings = settings_of(choices, answers)
    misplaced = misplaced_cells(tried.manifest, max_pixels=settings.images.max_pixels)
    offers, sizes = resolution_offer(examples, settings.images)
    return Proposal(
        seen=tuple(sample_lines(tried.manifest, ())),
        choices=tuple(_with_given(choices, answers)),
        remarks=(
            *pixel_problems(survey, unread),
            *([misplaced] if misplaced else []),
            *sizes,
            *tried.manifest.remarks,
            *label_remarks(tried.manifest, settings.labels),
        ),
        settings=settings,
        manifest=tried.manifest,
        offers=tuple(offers),
    )


def _with_group(tried: Tried, answers: Answers) -> Tried:
    """Choose the group, out of columns of the table first, and find the samples again with it."""
    if answers.given("labels.group"):
        return tried
    found = groupings(tried.manifest.table, _group_columns(tried), place_of_series(tried.manifest))
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
    price = price_of(chosen, found)
    reason += f"; {price}" if price else ""
    choices = (*tried.choices, Choice("labels.group", value, reason, is_guess=not answers.asks))
    settings = settings_of(choices, answers)
    if tried.manifest.crops is not None:
        return replace(tried, choices=choices, manifest=build_manifest(settings.images, settings.labels))
    # Finding all samples again would double the time of a large folder.
    grouped = tried.manifest.table.assign(group=groups_of(tried.manifest.table, settings.labels))
    return replace(tried, choices=choices, manifest=replace(tried.manifest, table=grouped))


def place_of_series(manifest: Manifest) -> tuple[str, ...]:
    """The column that names the movie or the stack, where the names of files number times or depths."""
    columns = manifest.table.columns
    return ("cell",) if "cell" in columns and any(name in columns for name in SERIES) else ()


def _group_columns(tried: Tried) -> dict[str, str]:
    """The column of each role that a group may have."""
    columns = tried.manifest.table.columns
    in_names = {role: name for role in COARSE for name in (role, f"{role}_in_name") if name in columns}
    if tried.manifest.crops is not None:
        in_tables = {role: name for name in tried.manifest.columns if (role := role_of_word(name)) in COARSE and role}
        return {**in_tables, "site": "field"}
    from_table = tried.listed.columns.groups if tried.listed else {}
    return {role: name for role, name in {**in_names, **from_table}.items() if name in columns}


def settings_of(choices: Sequence[Choice], answers: Answers) -> Settings:
    """Give all settings together.

    Parameters
    ----------
    choices
        What is proposed.
    answers
        What the user knows already, which comes first.

    Raises
    ------
    ConfigError
        If an answer is no valid setting.
    """
    proposed = [
        Source.of_key("the proposal", key, value) for key, value in {**dict(NO_LABELS), **by_key(choices)}.items()
    ]
    given = [Source.of_key("options", key, value) for key, value in answers.settings.items()]
    return combine([*proposed, *given])


def _with_given(choices: Sequence[Choice], answers: Answers) -> list[Choice]:
    """The choices without those that the user made, and the user's at the end."""
    kept = [choice for choice in choices if not answers.given(choice.key)]
    known = {*by_key(kept), *answers.settings}
    pattern = {**by_key(kept), **answers.settings}.get("images.pattern") or ""
    # Written out, because the defaults of these settings name a table.
    kept += [_none_found(key, value, pattern) for key, value in NO_LABELS if key not in known]
    return kept + [Choice(key, value, "as you said") for key, value in answers.settings.items()]


def _none_found(key: str, value: Any, pattern: str) -> Choice:
    if key == "labels.group":
        return Choice(key, value, "no name and no column says which samples belong together", is_guess=True)
    if key == "labels.label" and "{label}" in pattern:
        return Choice(key, value, "{label} of images.pattern is the class")
    return Choice(key, value, "none was found")
