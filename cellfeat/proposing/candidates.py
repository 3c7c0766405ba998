"""Layouts that may fit the names of images, the likeliest first."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from cellfeat.errors import ConfigError, ManifestError
from cellfeat.proposing.pieces import Pieces, ending_of, fall_apart, with_whole_names
from cellfeat.proposing.reading import (
    Reading,
    channel_place,
    channels_in_two_spellings,
    incomplete_channels,
    numbered_channel_place,
    read_names,
)
from cellfeat.proposing.survey import Survey
from cellfeat.samples.labels.id_matching import KnownIds
from cellfeat.samples.layouts.base import Found
from cellfeat.samples.layouts.class_folders import FoldersLayout, SplitFoldersLayout
from cellfeat.samples.layouts.pattern import PatternLayout
from cellfeat.samples.layouts.pattern_fields import further_names
from cellfeat.samples.splits import part_of
from cellfeat.text import first_ten

_HEX = "[0-9A-F]"
_REWRITTEN = (
    # MetaXpress writes a random id behind the channel.
    (re.compile(rf"[ _-]?{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}(?=[._]|$)", re.IGNORECASE), ""),
    # IN Cell: A - 01(fld 1 wv UV - DAPI).tif, where the filters of a channel go together.
    (re.compile(r"\b([A-P]) - (\d{1,2})(?=\()"), r"\1\2"),
    (re.compile(r"\(fld (\d+) wv (?:[^)]* - )?([^) ]+)[^)]*\)"), r"_f\1_\2"),
)
MAIN_SHARE = 0.98
"""Share of the names of one form, where it is taken for the form of all."""


@dataclass(frozen=True)
class Candidate:
    """A layout, and what it finds in the names.

    Attributes
    ----------
    layout
        For ``images.layout``.
    pattern
        For ``images.pattern``; None where the layout has none.
    channels
        Channels in the names; empty where a file holds all channels.
    names
        The images.
    reading
        What the names say.
    files
        The real name of each file in `names`, where these were written without random ids.
    left_out
        Masks and previews, which are no samples.
    """

    layout: str
    pattern: str | None
    channels: tuple[str, ...]
    names: tuple[str, ...]
    reading: Reading
    files: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @cached_property
    def needs_table(self) -> bool:
        """Whether only a table can say which files a sample has: others would be samples, too, or lack a channel."""
        return bool(self.files or self.incomplete) or any(self._rule.find(name) for name in self.left_out)

    @cached_property
    def incomplete(self) -> list[str]:
        """Ids of samples that lack the file of a channel."""
        if len(self.channels) * len(self.found) == self.n_files or not self.channels:
            return []
        known = set(self.names)
        return sorted(sample.sample_id for sample in self.found if not known.issuperset(self.names_of(sample)))

    def names_of(self, sample: Found) -> tuple[str, ...]:
        """The files of a sample."""
        return self._rule.names(sample)

    @cached_property
    def found(self) -> set[Found]:
        """The samples in the names."""
        return {sample for sample in map(self._rule.find, self.names) if sample}

    @cached_property
    def ids(self) -> KnownIds:
        """Ids of the samples."""
        return KnownIds(sample.sample_id for sample in self.found)

    @property
    def has_own_ids(self) -> bool:
        """Whether each sample has an id of its own."""
        return len(self.ids.exact) == len(self.found) > 0

    @cached_property
    def n_files(self) -> int:
        """Number of files that belong to samples."""
        return sum(self._rule.find(name) is not None for name in self.names)

    @cached_property
    def _rule(self) -> PatternLayout | FoldersLayout:
        if self.layout == "pattern" and self.pattern:
            return PatternLayout(self.pattern, self.channels or (0,))
        return SplitFoldersLayout() if self.layout == "split_folders" else FoldersLayout()

    def renamed(self, taken: Sequence[str], *, keeps_label: bool) -> "Candidate":
        """Give words of the pattern other names.

        Parameters
        ----------
        taken
            Names that columns of the table have.
        keeps_label
            Whether ``{label}`` stays; a table with labels of its own makes it a column.
        """
        if self.pattern is None:
            return self
        pattern = self.pattern if keeps_label else self.pattern.replace("{label}", "{folder}")
        for name in further_names(pattern):
            if name in taken:
                pattern = re.sub(rf"\{{{name}\}}", f"{{{name}_in_name}}", pattern)
        return replace(self, pattern=pattern)


def candidates(survey: Survey) -> list[Candidate]:
    """Give the layouts that may fit, the likeliest first; each finds samples with ids of their own."""
    files = plain_names(survey.names)
    if files:
        # Patterns cannot name such files: they are read without their ids, and written into a table.
        plain = replace(survey, names=tuple(files))
        return [replace(one, files=files) for one in candidates(plain) if one.pattern]
    found = fall_apart(survey.names)[0]
    if len(found.names) < MAIN_SHARE * len(survey.names):
        whole = with_whole_names(survey.names)
        found = whole if whole and len(whole.names) >= len(found.names) else found
    channel = channel_place(found) if survey.one_plane else None
    if survey.one_plane and channel is None:
        _check_channels(found, survey)
    reading = read_names(found, channel)
    if _reads_otherwise(found, reading):
        reading = read_names(found, channel, joins=False)
    offered = [*_folders(survey, reading), *_patterns(survey, reading)]
    # Names that no pattern reads still lie in folders.
    offered += [_candidate("folders", None, survey, reading)] if any("/" in name for name in survey.names) else []
    numbered = numbered_channel_place(found) if survey.one_plane and not reading.channels else None
    if numbered is not None:
        offered += _patterns(survey, read_names(found, numbered))
    valid = [one for one in _valid(offered) if one.has_own_ids]
    with_one_ending = _with_one_ending(survey.names)
    if with_one_ending and (not valid or valid[0].n_files < MAIN_SHARE * len(survey.names)):
        # A pattern names one ending: images of several are written into a table.
        same = replace(survey, names=tuple(with_one_ending))
        more = [replace(one, files=with_one_ending) for one in candidates(same) if one.pattern]
        valid = more if more and more[0].n_files > (valid[0].n_files if valid else 0) else valid
    return valid


def candidates_of_files(survey: Survey) -> list[Candidate]:
    """Give the layouts that take each file as a sample, where its name is a number that may be one of a channel.

    Parameters
    ----------
    survey
        The images.
    """
    found = fall_apart(survey.names)[0]
    # Names such as DAPI are channels, and a table of these may say how they were taken.
    if not all(found.pieces[place].is_numeric for place in found.varying):
        return []
    return [one for one in _valid(_patterns(survey, read_names(found, None))) if one.has_own_ids]


def _check_channels(found: Pieces, survey: Survey) -> None:
    """Refuse names of channels that no rule puts together: each file would be a sample of its own."""
    told = "list the files in a table, with a column of file names for each channel, and name it with --labels FILE"
    if spelt := channels_in_two_spellings(found):
        raise ManifestError(
            f"{survey.root}: the channels in the names of the files differ in upper and lower case: {first_ten(spelt)}"
            f"; rename the files, so that each channel is written one way, or {told}"
        )
    if channels := incomplete_channels(found):
        raise ManifestError(
            f"{survey.root}: the names of the files hold channels ({first_ten(channels)}), and too few samples have "
            "a file of each: copy what is missing, rename the files, so that each channel has one name, leave out a "
            f"channel, or {told}"
        )


def _reads_otherwise(found: Pieces, reading: Reading) -> bool:
    """Whether the pattern finds other plates, fields or classes than were read: ``S{site}_{cell}`` in ``S3_0_256``."""
    try:
        rule = PatternLayout(reading.pattern, reading.channels or (0,))
    except ConfigError:
        return False
    samples = [sample for sample in map(rule.find, found.names) if sample]
    values = [{**dict(one.further), "label": one.label, "split": one.split} for one in samples]
    return any(
        len({one.get(word) for one in values}) > len(piece.distinct)
        for word, piece in reading.columns.items()
        if f"{{{word}}}" in reading.pattern
    )


def _with_one_ending(names: Sequence[str]) -> dict[str, str]:
    """Give names of several endings the one of the first, and the real name of each; empty where that is unclear."""
    counts = Counter(map(ending_of, names))
    if len(counts) < 2 or min(counts.values()) < (1 - MAIN_SHARE) * len(names):
        return {}
    ending = max(counts)
    alike = {name.removesuffix(ending_of(name)) + ending: name for name in names}
    return alike if len(alike) == len(names) else {}


def asked_candidates(survey: Survey, layout: str | None, pattern: str | None) -> list[Candidate]:
    """Give the layouts that may fit where the user named the layout or the pattern.

    Parameters
    ----------
    survey
        The images.
    layout
        The layout; None where the user named none.
    pattern
        The pattern; None where the user named none.

    Raises
    ------
    ConfigError
        If the pattern is invalid.
    """
    if pattern is not None:
        channels = _channels_of_pattern(survey, pattern) if "{channel}" in pattern else ()
        return [
            Candidate("pattern", pattern, channels, survey.names, Reading(pattern, channels, is_channel_known=True))
        ]
    if layout in ("folders", "split_folders"):
        return [Candidate(layout, None, (), survey.names, Reading(""), left_out=tuple(survey.left_out))]
    return [one for one in candidates(survey) if layout is None or one.layout == layout]


def _channels_of_pattern(survey: Survey, pattern: str) -> tuple[str, ...]:
    """The channels that images have at the place of ``{channel}``."""
    rule = PatternLayout(pattern.replace("{channel}", "{cellfeat_channel}"), (0,))
    found = {dict(sample.further)["cellfeat_channel"] for sample in map(rule.find, survey.names) if sample}
    return tuple(sorted(found)) or ("",)


def plain_names(names: Sequence[str]) -> dict[str, str]:
    """Give names as patterns can read them, and the real name of each: without random ids, those of IN Cell in short.

    Returns
    -------
    dict
        Empty where names need no change, or are not different after it.
    """
    if not names or not any(expression.search(names[0]) for expression, _ in _REWRITTEN):
        return {}
    plain = {_rewritten(name): name for name in names}
    has_stems = all(name.rpartition("/")[2].partition(".")[0] for name in plain)
    return plain if len(plain) == len(names) and has_stems else {}


def _rewritten(name: str) -> str:
    for expression, text in _REWRITTEN:
        name = expression.sub(text, name)
    return name


def _valid(offered: Sequence[Candidate]) -> list[Candidate]:
    valid = []
    for one in offered:
        try:
            _ = one.found
        except ConfigError:
            # A literal text that no pattern can hold.
            continue
        valid.append(one)
    return valid


def _candidate(layout: str, pattern: str | None, survey: Survey, reading: Reading) -> Candidate:
    channels = reading.channels if pattern and "{channel}" in pattern else ()
    return Candidate(layout, pattern, channels, survey.names, reading, left_out=tuple(survey.left_out))


def _folders(survey: Survey, reading: Reading) -> list[Candidate]:
    """Class folders, perhaps below those of a split, where files need no pattern."""
    if reading.channels or reading.groups or reading.series or not all("/" in name for name in survey.names):
        return []
    if "label" in reading.columns and reading.label_from == "name":
        return []
    tops = {name.split("/")[0] for name in survey.names}
    seconds = {name.split("/")[1] for name in survey.names if name.count("/") > 1}
    has_two = all(name.count("/") > 1 for name in survey.names)
    if has_two and (all(map(part_of, tops)) or all(map(part_of, seconds))):
        return [_candidate("split_folders", None, survey, reading)]
    if all(map(part_of, tops)):
        return []
    return [_candidate("folders", None, survey, reading)]


def _patterns(survey: Survey, reading: Reading) -> list[Candidate]:
    composite = reading.pattern.replace("{sample_id}", "{cell}")
    order = [reading.pattern, *reading.forms] if reading.has_words_in_name else [*reading.forms, reading.pattern]
    return [_candidate("pattern", pattern, survey, reading) for pattern in dict.fromkeys([*order, composite])]
