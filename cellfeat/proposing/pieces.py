"""How the names of files fall apart: into literal text, and pieces that differ from file to file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from cellfeat.proposing.words import are_days, are_wells, is_channel, role_of_word

_SEPARATORS = re.compile(r"([ _.\-=+#,;()\[\]@~&']+)")
_ELAPSED = re.compile(r"\d+d\d+h(\d+m)?")
"""The time of IncuCyte: 00d06h00m."""
_WORD_AND_NUMBER = re.compile(r"([^\W\d_].*?)([ _.-]+)(\d+)")
_UNITS = re.compile(r"\d+|[^\W\d_]+|[^\w\s]|\s|_")
MOST_CHANNELS = 12
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Piece:
    """A place in the names: a literal where all values are equal.

    Attributes
    ----------
    values
        The text at this place, one for each name.
    mark
        The word before it that says what it stands for, such as ``s`` in ``s1``; ``""`` where there is none.
    depth
        How many folders come before it.
    is_separator
        Whether it is a separator, or belongs to the literal text by itself.
    """

    values: tuple[str, ...]
    mark: str = ""
    depth: int = 0
    is_separator: bool = False

    @cached_property
    def distinct(self) -> list[str]:
        """The different values, sorted."""
        return sorted(set(self.values))

    @property
    def is_constant(self) -> bool:
        """Whether all names have the same text here."""
        return len(self.distinct) == 1

    @cached_property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return all(value.isdecimal() and value.isascii() for value in self.distinct)

    @cached_property
    def codes(self) -> pd.Series:
        """A number for each different value."""
        return pd.Series(pd.factorize(pd.Series(self.values, dtype=object))[0])

    @cached_property
    def role(self) -> str | None:
        """What the piece stands for, by its values or the word before it; None where it is unknown."""
        if are_wells(self.distinct):
            return "well"
        if are_days(self.distinct):
            return "day"
        # A word such as "Plate" before a value with letters is no mark of it, except before a short code.
        return role_of_word(self.mark) if self.mark else None


@dataclass(frozen=True)
class Pieces:
    """The names of files that have one form, as pieces.

    Attributes
    ----------
    names
        The names.
    pieces
        Their pieces, folders first; the ending of the files comes last.
    """

    names: tuple[str, ...]
    pieces: tuple[Piece, ...]

    @property
    def depth(self) -> int:
        """How many folders deep the files lie."""
        return self.pieces[-1].depth

    @property
    def varying(self) -> list[int]:
        """Places of the pieces that differ."""
        return [place for place, piece in enumerate(self.pieces) if not piece.is_constant]


def ending_of(name: str) -> str:
    """The ending of a name, with that of OME."""
    match = re.search(r"(\.ome)?\.[^./ ]+$", name, re.IGNORECASE)
    return match[0] if match else ""


def fall_apart(names: Sequence[str]) -> list[Pieces]:
    """Group names by their form, and split each form into pieces; the most frequent form first.

    Names have the same form where they have the same ending, folders and separators.
    """
    forms: dict[tuple[str, ...], list[tuple[str, list[str]]]] = {}
    for name in names:
        ending = ending_of(name)
        *folders, stem = name.removesuffix(ending).split("/")
        parts = _SEPARATORS.split(stem)
        forms.setdefault((ending, str(len(folders)), *parts[1::2]), []).append((name, [*folders, *parts]))
    ordered = sorted(forms.items(), key=lambda form: (-len(form[1]), form[0]))
    return [_pieces(form, rows) for form, rows in ordered]


def with_whole_names(names: Sequence[str]) -> Pieces | None:
    """Take names of different forms apart by their folders and channels alone.

    Returns
    -------
    Pieces or None
        The folders, the names and, at their beginning or end, their channels, of the most frequent ending and number of
        folders.
    """
    forms: dict[tuple[str, int], list[str]] = {}
    for name in names:
        forms.setdefault((ending_of(name), name.count("/")), []).append(name)
    (ending, depth), kept = max(forms.items(), key=lambda form: (len(form[1]), form[0]))
    rows = [name.removesuffix(ending).split("/") for name in kept]
    columns = [tuple(column) for column in zip(*rows, strict=True)]
    pieces: list[Piece] = []
    for place, values in enumerate(columns[:-1]):
        pieces += [*_folder_pieces(values, place), _literal("/", len(kept), place)]
    stems = columns[-1]
    return Pieces(tuple(kept), (*pieces, *_around_channel(kept, stems, depth), _literal(ending, len(kept), depth)))


def _around_channel(names: Sequence[str], stems: Sequence[str], depth: int) -> list[Piece]:
    """A name and its channel, where all samples have the same channels at the end or at the beginning."""
    heads = [name.rpartition("/")[0] for name in names]
    for separator in ("_", "-", ".", " "):
        for is_last in (True, False):
            parts = [stem.rpartition(separator) if is_last else stem.partition(separator) for stem in stems]
            channels = [part[2 if is_last else 0] for part in parts]
            rest = [part[0 if is_last else 2] for part in parts]
            if not all(rest) or not 2 <= len(set(channels)) <= MOST_CHANNELS or not all(map(is_channel, set(channels))):
                continue
            n_samples = len(set(zip(heads, rest, strict=True)))
            if n_samples * len(set(channels)) == len(stems):
                found, between = _around_number(rest, depth), _literal(separator, len(stems), depth)
                channel = Piece(tuple(channels), depth=depth)
                return [*found, between, channel] if is_last else [channel, between, *found]
    return _around_number(stems, depth)


def _around_number(stems: Sequence[str], depth: int) -> list[Piece]:
    """A word, perhaps with separators in it, and a number, as in ``U-2 OS_12``; else the name as it is."""
    parts = [_WORD_AND_NUMBER.fullmatch(stem) for stem in stems]
    separators = {part[2] for part in parts if part}
    if not all(parts) or len(separators) > 1:
        return [Piece(tuple(stems), depth=depth)]
    words, numbers = (tuple(part[place] for part in parts if part) for place in (1, 3))
    return [Piece(words, depth=depth), _literal(separators.pop(), len(stems), depth), Piece(numbers, depth=depth)]


def _pieces(form: tuple[str, ...], rows: list[tuple[str, list[str]]]) -> Pieces:
    ending, depth = form[0], int(form[1])
    columns = [tuple(column) for column in zip(*(parts for _, parts in rows), strict=True)]
    pieces: list[Piece] = []
    for place, values in enumerate(columns):
        if place < depth:
            pieces += [*_folder_pieces(values, place), _literal("/", len(rows), place)]
        elif (place - depth) % 2:
            pieces.append(Piece(values, depth=depth, is_separator=True))
        else:
            pieces += _split_column(values, depth, _mark_before(pieces))
    return Pieces(tuple(name for name, _ in rows), (*pieces, _literal(ending, len(rows), depth)))


def _literal(text: str, n_rows: int, depth: int) -> Piece:
    return Piece((text,) * n_rows, depth=depth, is_separator=True)


def _mark_before(pieces: Sequence[Piece]) -> str:
    """The word before a separator, as in ``Well_A1`` or ``plate 3``; it is a mark if all names have it."""
    if len(pieces) < 2 or not pieces[-1].is_constant or pieces[-1].values[0] == "/":
        return ""
    before = pieces[-2]
    text = before.values[0]
    return text if before.is_constant and _LETTERS.fullmatch(text) else ""


def _folder_pieces(values: tuple[str, ...], depth: int) -> list[Piece]:
    """A folder is one piece, or several where all have the same separators and a well, plate or field in them."""
    distinct = sorted(set(values))
    parts = {value: _SEPARATORS.split(value) for value in distinct}
    forms = {tuple(part[1::2]) for part in parts.values()}
    whole = [Piece(values, depth=depth)]
    if len(distinct) == 1 or are_days(distinct):
        return whole
    if len(forms) > 1:
        return whole
    pieces: list[Piece] = []
    for place, column in enumerate(zip(*(parts[value] for value in values), strict=True)):
        separates = bool(place % 2)
        pieces += (
            [Piece(column, depth=depth, is_separator=True)]
            if separates
            else _split_column(column, depth, _mark_before(pieces))
        )
    known = [piece for piece in pieces if not piece.is_constant and piece.role]
    varying = [piece for piece in pieces if not piece.is_constant]
    # One number after a word is a name as a whole: plate1, Day 3. Parts of class names are no pieces.
    is_clear = all(piece.role or _LETTERS.match(piece.distinct[0]) for piece in varying)
    return pieces if known and len(varying) > 1 and is_clear else [_marked(whole[0], known, varying)]


def _marked(whole: Piece, known: Sequence[Piece], varying: Sequence[Piece]) -> Piece:
    """A folder as one piece, with the mark of the only piece that differs."""
    is_one = len(known) == len(varying) == 1
    return Piece(whole.values, known[0].mark, whole.depth) if is_one else whole


def _split_column(values: tuple[str, ...], depth: int, mark: str) -> list[Piece]:
    """Split one part of the names into letters and numbers, where all values have the same letters."""
    distinct = sorted(set(values))
    if len(distinct) == 1 or are_wells(distinct) or are_days(distinct):
        return [Piece(values, mark, depth)]
    if all(map(_ELAPSED.fullmatch, distinct)):
        return [Piece(values, "time", depth)]
    if any(is_channel(value) and not value[-1:].isdecimal() for value in distinct):
        # w1DAPI and GFP are whole names of channels.
        return [Piece(values, mark, depth)]
    units = {value: _UNITS.findall(value) for value in distinct}
    if len({len(found) for found in units.values()}) > 1 or any("".join(found) != one for one, found in units.items()):
        return [Piece(values, mark, depth)]
    columns = list(zip(*(units[value] for value in values), strict=True))
    if any(len(set(column)) > 1 and not all(map(str.isdecimal, set(column))) for column in columns):
        return [Piece(values, mark, depth)]
    return _numbered_pieces(columns, depth, mark)


def _numbered_pieces(columns: Sequence[tuple[str, ...]], depth: int, mark: str) -> list[Piece]:
    pieces: list[Piece] = []
    before = mark
    for column in columns:
        is_letters = not column[0].isdecimal()
        pieces.append(Piece(column, "" if is_letters else before, depth, is_separator=is_letters))
        before = column[0] if is_letters else ""
    if "".join(piece.values[0] for piece in pieces if piece.is_separator).lower().startswith("rc"):
        # r02c03f04p01 of Opera: row and column make a well, p is a plane.
        words = iter(("row", "column", "site", "depth"))
        pieces = [p if p.is_separator else Piece(p.values, next(words, p.mark), depth) for p in pieces]
    return pieces
