"""Ids that a table writes in another way than the files.

With a file ending, leading zeros or folders, as 1.0, or in another normal form of Unicode, as macOS writes names.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from cellfeat.samples.folders.file_kinds import IMAGE_ENDINGS
from cellfeat.text import first_ten

_ENDINGS = "|".join(map(re.escape, sorted(IMAGE_ENDINGS, key=len, reverse=True)))
_ENDING = re.compile(rf"(\.ome)?({_ENDINGS})?$", re.IGNORECASE)
# At most 300 digits, as for the ids of a pattern.
_NUMBER = re.compile(r"0*(\d{1,300})(\.0*)?", re.ASCII)
_FOLDER = re.compile(r"[/\\]").search


def match_ids(ids: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Find the samples that ids mean, where the ids themselves are unknown.

    Parameters
    ----------
    ids
        Ids of a table.
    known
        Ids of samples.

    Returns
    -------
    dict
        The known id, by the id in the table. Ids that are known, that mean no known sample, or that could mean several
        are absent.

    Examples
    --------
    >>> match_ids(["cell7.png", "1.0", "C:/data/002.tif", "A/8", "3"], ["cell7", "1", "2", "A/8.png", "03", "3"])
    {'cell7.png': 'cell7', '1.0': '1', 'C:/data/002.tif': '2', 'A/8': 'A/8.png'}
    >>> match_ids(["cell9"], ["A/cell9.tif", "B/cell10.tif"])
    {'cell9': 'A/cell9.tif'}
    >>> match_ids(["a.ome.tif", "b.ome.tif"], ["a", "b.ome"])
    {'a.ome.tif': 'a', 'b.ome.tif': 'b.ome'}
    """
    return KnownIds(known).match(ids)


class KnownIds:
    """Ids of samples, prepared for `match`.

    Parameters
    ----------
    known
        The ids.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.exact = frozenset(known)

    def match(self, ids: Iterable[str]) -> dict[str, str]:
        """Find the samples that ids mean, as `match_ids` does."""
        unknown = [one for one in dict.fromkeys(ids) if one not in self.exact]
        if not unknown:
            return {}
        by_form, by_name = self._by_form, self._by_name
        candidates = {one: next((by_form[form] for form in _forms(one) if form in by_form), []) for one in unknown}
        # An id without folders may mean a file in any folder, if there is one of this name.
        candidates |= {
            one: by_name.get(_plain_form(one), [])
            for one, found in candidates.items()
            if not found and not _FOLDER(one)
        }
        return {one: found[0] for one, found in candidates.items() if len(found) == 1}

    @cached_property
    def _by_form(self) -> dict[str, list[str]]:
        return _collected((_plain_form(one), one) for one in self.exact)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return _collected((_plain_form(one.rpartition("/")[2]), one) for one in self.exact)


def _collected(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    by_key: dict[str, list[str]] = {}
    for key, one in pairs:
        by_key.setdefault(key, []).append(one)
    return by_key


def _forms(one: str) -> Iterator[str]:
    """An id as `_plain_form` gives it, and without its first folder, its second, and so on."""
    parts = one.replace("\\", "/").split("/")
    return (_plain_form("/".join(parts[start:])) for start in range(len(parts)))


def matching_remark(matches: dict[str, str], where: str) -> list[str]:
    """Say how ids were read that a table writes in another way.

    Parameters
    ----------
    matches
        As `match_ids` returns them.
    where
        The table.
    """
    if not matches:
        return []
    told = first_ten(f"{written!r} as {known!r}" for written, known in matches.items())
    return [f"{len(matches)} ids in {where} are written in another way than those of the samples, and read so: {told}"]


def _plain_form(one: str) -> str:
    """An id without the ending of an image, in one normal form; a number without leading zeros and a decimal point."""
    stem = _ENDING.sub("", unicodedata.normalize("NFC", one.replace("\\", "/")))
    number = _NUMBER.fullmatch(stem)
    return number[1] if number else stem
