"""What the names of images say: a pattern, its channels, and columns such as plate, well and field."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from cellfeat.proposing.pieces import MOST_CHANNELS, Piece, Pieces
from cellfeat.proposing.words import COARSE, channel_share, is_channel, is_numbered_channel
from cellfeat.samples.layouts.pattern_fields import PATTERN_FIELDS
from cellfeat.samples.splits import part_of

MOST_CLASSES = 60
COMPLETE = 0.95
"""Share of the samples that have all channels, where a piece of the names is the channel."""
_MOST_NUMBERED = 6
_CLASS_LIKE_WELL = re.compile(r"[A-P][1-9]")
SERIES = ("time", "depth")
"""Columns of names that number pictures of one place."""
_NAMED = ("donor", "day", "batch", "plate", "slide")
"""What people call by a letter and a number: plate P1, donor D2."""
_WORD = re.compile(r"[^\W\d_].*")
_CHANNEL_LIKE_WELL = re.compile(r"[CD][0-9]", re.IGNORECASE)
"""C1 and C2 are channels that ImageJ split, or wells of row C."""


@dataclass(frozen=True)
class Reading:
    """One way to read the names.

    Attributes
    ----------
    pattern
        For ``images.pattern``.
    channels
        Channels in the names, sorted; empty where a file holds all channels of its sample.
    columns
        Pieces of the names by the words of the pattern: plate, well, label and others.
    is_channel_known
        Whether the channels are words for channels, and not any other words.
    label_from
        ``folder``, ``name`` or ``""``: where the class is.
    has_words_in_name
        Whether the file names themselves hold a plate, a field or another known column.
    forms
        Other patterns for the same names, whose ids a table may use.
    """

    pattern: str
    channels: tuple[str, ...] = ()
    columns: dict[str, Piece] = field(default_factory=dict)
    is_channel_known: bool = False
    label_from: str = ""
    has_words_in_name: bool = False
    forms: tuple[str, ...] = ()

    @property
    def groups(self) -> list[str]:
        """The columns that may be groups, from the coarsest."""
        return [role for role in COARSE if role in self.columns]

    @property
    def series(self) -> list[str]:
        """Times and depths in the names, where another word of the names says of what movie or stack."""
        found = [role for role in SERIES if role in self.columns]
        return found if "{cell}" in self.pattern else []


def read_names(found: Pieces, channel: int | None, *, joins: bool = True) -> Reading:
    """Read names of one form.

    Parameters
    ----------
    found
        The names as pieces.
    channel
        The place of the channel, as `channel_place` finds it; None where a file holds all channels.
    joins
        Whether unknown pieces beside each other become one word of the pattern.
    """
    names = list(found.pieces)
    roles = _roles(found, channel)
    tail = _tail_place(found, roles, channel)
    by_place = {place: role for role, place in roles.items()}
    pieces = _with_mark(names, channel)
    for role in _NAMED:
        pieces = _with_mark(pieces, roles.get(role))
    pattern = _pattern(pieces, by_place, channel, tail, joins=joins)
    columns = {role: names[place] for role, place in roles.items()}
    label = columns.get("label")
    source = "" if label is None else "folder" if label.depth < found.depth else "name"
    in_name = any(names[place].depth == found.depth for place in roles.values())
    reading = Reading(pattern, columns=columns, label_from=source, has_words_in_name=in_name)
    if channel is not None:
        values = tuple(sorted(set(pieces[channel].values), key=_natural))
        reading = replace(reading, channels=values, is_channel_known=channel_share(values) > 0.5)
    return replace(reading, forms=_id_forms(pieces, by_place, channel))


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.findall(r"\d+|\D+", text)]


def channel_place(found: Pieces) -> int | None:
    """Find the place of the channel: each sample has all of its values, and its values or its place speak for it."""
    places = found.varying
    scores = {place: _channel_score(found, place, places) for place in places}
    likely = [place for place in places if scores[place] >= 1]
    complete = [place for place in likely if _is_complete(found, place, places)]
    return max(complete, key=lambda place: (scores[place], place), default=None)


def channels_in_two_spellings(found: Pieces) -> list[str]:
    """Channels of the names that differ in upper and lower case alone: ``DAPI`` and ``dapi``; empty where none do."""
    places = found.varying
    for place in places:
        piece = found.pieces[place]
        folded = replace(piece, values=tuple(value.casefold() for value in piece.values))
        is_spelt_twice = 1 < len(folded.distinct) < len(piece.distinct)
        if is_spelt_twice and channel_share(folded.distinct) == 1 and len(places) > 1:
            pieces = (*found.pieces[:place], folded, *found.pieces[place + 1 :])
            if _is_complete(replace(found, pieces=pieces), place, places):
                return piece.distinct
    return []


def incomplete_channels(found: Pieces) -> list[str]:
    """Channels of the names, numbered as such, of which too many samples lack some; empty where there are none."""
    places = found.varying
    for place in places:
        piece = found.pieces[place]
        written = [piece.mark + value if piece.is_numeric else value for value in piece.distinct]
        is_of_samples = all(map(is_numbered_channel, written)) and not _is_complete(found, place, places)
        if is_of_samples and _n_without(found, place, places) < len(found.names):
            return written
    return []


def numbered_channel_place(found: Pieces) -> int | None:
    """Find a number that may be the channel, because each sample has all of its values; only a table can confirm it."""
    places = found.varying
    piece = found.pieces[places[-1]] if len(places) > 1 else None
    # s1 and s2 are two fields of a well.
    if piece is None or not piece.is_numeric or piece.depth < found.depth or piece.role in {*COARSE, *SERIES}:
        return None
    is_complete = 2 <= len(piece.distinct) <= _MOST_NUMBERED and _is_complete(found, places[-1], places)
    return places[-1] if is_complete else None


def _channel_score(found: Pieces, place: int, places: Sequence[int]) -> float:
    piece = found.pieces[place]
    if not 2 <= len(piece.distinct) <= MOST_CHANNELS:
        return 0
    if piece.role == "well" and all(map(_CHANNEL_LIKE_WELL.fullmatch, piece.distinct)):
        return 1.5 if len({value[0] for value in piece.distinct}) == 1 else 0
    if piece.role in (set(COARSE) - {"row", "column"}) | {"time"}:
        return 0
    share = channel_share(piece.distinct)
    is_in_name = piece.depth == found.pieces[-1].depth
    if piece.is_numeric:
        return {"channel": 2.5}.get(piece.role or "", 0)
    if share == 1:
        return 3
    # Folders A and B are classes, although B alone is a colour.
    if share >= 0.5 and (is_in_name or any(len(value) > 1 and is_channel(value) for value in piece.distinct)):
        return 2
    # Any words at the end of a name; words at its beginning, or folders, are rather classes.
    return 1 if is_in_name and place == places[-1] and len(places) > 1 and not any(map(part_of, piece.distinct)) else 0


def _is_complete(found: Pieces, place: int, places: Sequence[int]) -> bool:
    n_expected = _n_without(found, place, places) * len(found.pieces[place].distinct)
    return COMPLETE * n_expected <= len(found.names) <= n_expected


def _n_without(found: Pieces, place: int, places: Sequence[int]) -> int:
    """Number of different names without the piece of one place."""
    others = [found.pieces[other].codes.rename(str(other)) for other in places if other != place]
    return len(pd.concat(others, axis=1).drop_duplicates()) if others else 1


def _roles(found: Pieces, channel: int | None) -> dict[str, int]:
    """The places of split, label, plate and others by their role."""
    roles: dict[str, int] = {}
    places = [place for place in found.varying if place != channel]
    for place in places:
        piece = found.pieces[place]
        if piece.distinct and all(part_of(value) for value in piece.distinct) and "split" not in roles:
            roles["split"] = place
        elif piece.role in (*COARSE, "time", "depth") and piece.role not in roles:
            roles[piece.role] = place
    n_channels = 1 if channel is None else len(found.pieces[channel].distinct)
    free = [place for place in places if place not in roles.values() and found.pieces[place].role != "cell"]
    barcodes = _barcode_place(found, free) if not roles.keys().isdisjoint(("well", "row")) else None
    if barcodes is not None and "plate" not in roles:
        roles["plate"] = barcodes
    label = _label_place(found, [place for place in free if place != barcodes], len(found.names) // n_channels)
    if label is None and "well" in roles and _is_class_folder(found, roles["well"]):
        return {**{role: place for role, place in roles.items() if role != "well"}, "label": roles["well"]}
    return roles | ({} if label is None else {"label": label})


def _is_class_folder(found: Pieces, place: int) -> bool:
    """Whether a folder that reads like a few wells may rather be a class: G1 and G2, phases of the cell cycle."""
    piece = found.pieces[place]
    is_short = all(map(_CLASS_LIKE_WELL.fullmatch, piece.distinct))
    return piece.depth < found.depth and len(piece.distinct) <= _MOST_NUMBERED and is_short


def _barcode_place(found: Pieces, places: Sequence[int]) -> int | None:
    """A folder, or the beginning of the names, that differs in numbers alone: the plate, where there are wells."""
    numbered = [place for place in places if _is_numbered(found.pieces[place]) and not found.pieces[place].is_numeric]
    return numbered[0] if numbered else None


def _label_place(found: Pieces, places: Sequence[int], n: int) -> int | None:
    """The piece that is the class of `n` samples: a folder, or else a word of the name."""
    depth = found.depth
    folders = [
        place
        for place in places
        if found.pieces[place].depth < depth and 2 <= len(found.pieces[place].distinct) <= max(2, n // 2)
    ]
    if folders:
        return min(folders, key=lambda place: (_is_numbered(found.pieces[place]), len(found.pieces[place].distinct)))
    words = [
        place
        for place in places
        if _is_word(found.pieces[place]) and 2 <= len(found.pieces[place].distinct) <= min(MOST_CLASSES, max(2, n // 4))
    ]
    return words[0] if words else None


def _is_numbered(piece: Piece) -> bool:
    """Whether values are one word with numbers, or numbers alone: those are rather slides or days than classes."""
    return len({re.sub(r"\d+", "", value) for value in piece.distinct}) == 1


def _is_word(piece: Piece) -> bool:
    """Whether a piece of names may be the class; channels of which samples lack some are none."""
    is_word = not piece.mark and all(map(_WORD.fullmatch, piece.distinct))
    return is_word and not all(map(is_numbered_channel, piece.distinct))


def _tail_place(found: Pieces, roles: dict[str, int], channel: int | None) -> list[int]:
    """Places of the pieces that no role explains."""
    known = {*roles.values(), channel}
    return [place for place in found.varying if place not in known]


def _with_mark(pieces: Sequence[Piece], place: int | None) -> list[Piece]:
    """Pieces in which the letters right before a number belong to it, as in the channel ``w1`` or the plate ``P1``."""
    found = list(pieces)
    if not place or not found[place].is_numeric:
        return found
    before = found[place - 1]
    if before.is_separator and before.is_constant and before.values[0].isalpha():
        mark = before.values[0]
        found[place] = replace(found[place], values=tuple(mark + value for value in found[place].values))
        found[place - 1] = replace(before, values=("",) * len(before.values))
    return found


def _pattern(
    pieces: Sequence[Piece], by_place: dict[int, str], channel: int | None, tail: Sequence[int], *, joins: bool = True
) -> str:
    """Write the pattern: words for known pieces, and one word for each run of unknown ones, or for each of these."""
    text, runs = "", _runs(pieces, tail, by_place, channel, joins=joins)
    place = 0
    while place < len(pieces):
        if place in runs:
            stop, word = runs[place]
            text, place = f"{text}{{{word}}}", stop
            continue
        text += _written(pieces[place], by_place.get(place), is_channel=place == channel)
        place += 1
    return text


def _written(piece: Piece, role: str | None, *, is_channel: bool) -> str:
    if is_channel:
        return "{channel}"
    return f"{{{role}}}" if role else escaped(piece.values[0])


def _runs(
    pieces: Sequence[Piece], tail: Sequence[int], by_place: dict[int, str], channel: int | None, *, joins: bool
) -> dict[int, tuple[int, str]]:
    """Runs of unknown pieces with what is between them: where each begins, where it ends, and its word."""
    runs: dict[int, tuple[int, str]] = {}
    words = iter(
        ["cell", *(f"part{number}" for number in range(2, 100))]
        if by_place
        else ["sample_id"] + [f"part{number}" for number in range(2, 100)]
    )
    start = None
    for place in tail:
        if start is None:
            start = place
        following = [one for one in tail if one > place]
        until = following[0] if following else None
        between = range(place + 1, until) if until is not None else ()
        is_joined = (
            joins
            and until is not None
            and not any(one in by_place or one == channel or pieces[one].values[0] == "/" for one in between)
        )
        if not is_joined:
            runs[start] = (place + 1, next(words))
            start = None
    return runs


def _id_forms(pieces: Sequence[Piece], by_place: dict[int, str], channel: int | None) -> tuple[str, ...]:
    """Patterns in which ``{sample_id}`` is the file name: as a number, without its constant beginning, or whole."""
    depth = pieces[-1].depth
    in_name = [place for place, piece in enumerate(pieces) if piece.depth == depth and place < len(pieces) - 1]
    first = next((place for place in in_name if pieces[place].values[0] != "/"), None)
    if first is None or any(by_place.get(place) in PATTERN_FIELDS for place in in_name):
        return ()
    head = _pattern(
        pieces[:first],
        by_place,
        channel,
        [p for p in range(first) if not pieces[p].is_constant and p not in by_place and p != channel],
    )
    if "{sample_id}" in head:
        return ()
    varying = [place for place in in_name if not pieces[place].is_constant and place != channel]
    if not varying or (channel is not None and varying[0] < channel < varying[-1]):
        return ()
    before = "".join("{channel}" if p == channel else escaped(pieces[p].values[0]) for p in range(first, varying[0]))
    after = "".join(
        "{channel}" if p == channel else escaped(pieces[p].values[0]) for p in range(varying[-1] + 1, len(pieces))
    )
    forms = [f"{head}{before}{{sample_id}}{after}"]
    if before and "{channel}" not in before:
        forms.insert(0, f"{head}{{sample_id}}{after}")
    only = pieces[varying[0]]
    widths = {len(value) for value in only.distinct}
    is_padded = len(widths) == 1 and widths != {1}
    if len(varying) == 1 and only.is_numeric and is_padded and any(v.startswith("0") for v in only.distinct):
        forms.insert(0, f"{head}{before}{{sample_id:0{widths.pop()}d}}{after}")
    return tuple(forms)


def escaped(text: str) -> str:
    """A literal text as a pattern writes it."""
    return text.replace("{", "{{").replace("}", "}}")
