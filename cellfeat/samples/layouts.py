"""How file names and samples correspond: by a pattern, by class folders, or by a table."""

import errno
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Formatter
from typing import NamedTuple, Protocol

from cellfeat.errors import ConfigError, ManifestError

PATTERN_FIELDS = ("sample_id", "channel", "label")
# An absolute path, a drive of Windows, or ``..`` as a whole part of the path.
_OUTSIDE = re.compile(r"^/|^[A-Za-z]:/|(^|/)\.\.(/|$)")
# At most 300 digits: file names are not longer, and int() refuses thousands.
# Programs write whole numbers as ``1.0`` if other cells of the column are empty.
_WHOLE_NUMBER = re.compile(r"0*(\d{1,300})(\.0*)?", re.ASCII)


class Found(NamedTuple):
    """The sample id and label in a file name; `label` is ``""`` where the name has none."""

    sample_id: str
    label: str


class Layout(Protocol):
    """Correspondence of samples and file names; a name is a path below the root, with ``/`` between folders."""

    @property
    def file_columns(self) -> tuple[str, ...]:
        """The manifest's columns of file names: ``file``, or ``file_<channel>`` for each channel."""
        ...

    def sample_id(self, text: str) -> str | None:
        """The sample id in a cell of the labels table; None if the cell is not a valid id."""
        ...

    def names(self, sample: Found) -> tuple[str, ...]:
        """The file names of a sample, one for each of `file_columns`."""
        ...

    def find(self, name: str) -> Found | None:
        """The sample that a file belongs to; None if it belongs to none."""
        ...

    def on_disk(self, root: Path) -> set[str]:
        """The names of the existing files."""
        ...


@dataclass(frozen=True)
class PatternLayout:
    """Files named by a pattern such as ``{sample_id:05d}_{channel}.png``.

    With a whole-number format the id of ``00001_blue.png`` is ``1``; the labels table may contain ``1``, ``1.0`` or
    ``00001``.

    Attributes
    ----------
    pattern
        The file's path below the root, with the fields ``{sample_id}``, ``{channel}`` and ``{label}``.
    channels
        The channels of a sample, in order.
    """

    pattern: str
    channels: tuple[str | int, ...]

    def __post_init__(self) -> None:
        fields = self._specs.keys()
        if not {"sample_id"} <= fields <= set(PATTERN_FIELDS):
            raise ConfigError(
                f"images.pattern: {self.pattern!r}: expected {{sample_id}}, with {{channel}} and {{label}} if the "
                f"names contain them, got {', '.join(fields) or 'no field'}"
            )
        if not re.fullmatch(r"(0?\d{0,2}d)?", self._specs["sample_id"]) or self._specs.get("label"):
            raise ConfigError(f"images.pattern: {self.pattern!r}: expected {{sample_id}} or a format such as :05d")
        try:
            # Tried once, so that a format that does not fit fails here and not at the first file.
            self.names(Found("0", ""))
        except (ValueError, LookupError, AttributeError) as error:
            raise ConfigError(
                f"images.pattern: {self.pattern!r} does not fit the channels {list(self.channels)}: {error}"
            ) from None

    @property
    def file_columns(self) -> tuple[str, ...]:
        """One column per channel if the pattern contains ``{channel}``, otherwise one for all channels."""
        if self._has_channel:
            return tuple(f"file_{channel}" for channel in self.channels)
        return ("file",)

    def sample_id(self, text: str) -> str | None:
        """The cell itself, or its number if the pattern has a number format."""
        if not self._has_numbers:
            return text
        match = _WHOLE_NUMBER.fullmatch(text)
        return match[1] if match else None

    def names(self, sample: Found) -> tuple[str, ...]:
        """The pattern with the sample and each channel filled in."""
        number = int(sample.sample_id) if self._has_numbers else sample.sample_id
        channels = self.channels if self._has_channel else ("",)
        return tuple(self.pattern.format(sample_id=number, channel=c, label=sample.label) for c in channels)

    def find(self, name: str) -> Found | None:
        """The sample for which the pattern gives this file name."""
        match = self._expression.fullmatch(name)
        if match is None:
            return None
        parts = match.groupdict()
        sample_id = self.sample_id(parts["sample_id"])
        assert sample_id is not None, "the expression only matches valid ids"
        # {sample_id:05d} does not match 1_blue.png, although 1 is a valid number.
        if self._has_numbers and format(int(sample_id), self._specs["sample_id"]) != parts["sample_id"]:
            return None
        return Found(sample_id, parts.get("label", ""))

    def on_disk(self, root: Path) -> set[str]:
        """The paths of all files below the root."""
        return scan(root)

    @cached_property
    def _specs(self) -> dict[str, str]:
        """The pattern's fields and their formats."""
        try:
            return {field: spec or "" for _, field, spec, _ in Formatter().parse(self.pattern) if field is not None}
        except ValueError as error:
            raise ConfigError(f"images.pattern: {self.pattern!r}: {error}") from None

    @property
    def _has_channel(self) -> bool:
        return "channel" in self._specs

    @property
    def _has_numbers(self) -> bool:
        return self._specs["sample_id"].endswith("d")

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        # The longest first, so that a channel is not taken for the beginning of a longer one.
        channels = sorted((format(c, self._specs.get("channel", "")) for c in self.channels), key=len, reverse=True)
        parts = {
            "sample_id": r"\d+" if self._has_numbers else "[^/]+",
            "channel": "|".join(map(re.escape, channels)),
            "label": "[^/]+",
        }
        expression = ""
        for literal, field, _, _ in Formatter().parse(self.pattern):
            expression += re.escape(literal)
            if field is not None:
                part = parts.pop(field, None)
                # A field that occurs again must have the same text.
                expression += f"(?P={field})" if part is None else f"(?P<{field}>{part})"
        return re.compile(expression, re.ASCII)


@dataclass(frozen=True)
class FoldersLayout:
    """One folder per class, with one file per sample anywhere in it; a sample's id is the file's path below the root.

    Attributes
    ----------
    file_columns
        The manifest's one column of file names.
    keeps_unlabelled
        Whether an image outside of all folders is a sample without a label; otherwise it belongs to no sample.
    """

    file_columns: tuple[str, ...] = ("file",)
    keeps_unlabelled: bool = False

    def sample_id(self, text: str) -> str | None:
        """The file's path below the root, with ``/`` between folders."""
        return text.replace("\\", "/")

    def names(self, sample: Found) -> tuple[str, ...]:
        """The id, which is the file's path below the root."""
        return (sample.sample_id,)

    def find(self, name: str) -> Found | None:
        """The sample of this image; its class is the name of the first folder."""
        folder, slash, _ = name.partition("/")
        if not (slash or self.keeps_unlabelled):
            return None
        return Found(name, folder if slash else "")

    def on_disk(self, root: Path) -> set[str]:
        """The paths of all files below the root."""
        return scan(root)


@dataclass(frozen=True)
class TableLayout:
    """File names listed in the labels table.

    Attributes
    ----------
    file_columns
        The manifest's columns of file names.
    files
        The file names of each sample, by sample id.
    """

    file_columns: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]

    def sample_id(self, text: str) -> str | None:
        """The cell itself."""
        return text

    def names(self, sample: Found) -> tuple[str, ...]:
        """The file names in the table."""
        return self.files[sample.sample_id]

    def find(self, name: str) -> Found | None:  # noqa: ARG002, required by the protocol
        """None: files that are not in the table belong to no sample."""
        return None

    def on_disk(self, root: Path) -> set[str]:
        """The files in the folders that the table mentions; each folder is listed once."""
        folders = {posixpath.dirname(name) for names in self.files.values() for name in names}
        return {posixpath.join(folder, name) for folder in folders for name in _file_names(root / folder)}


def table_file_name(cell: str) -> str:
    """Normalise a file name from a table: ``/`` between folders, without ``.`` and needless ``..``."""
    return posixpath.normpath(cell.replace("\\", "/")) if cell else ""


def leads_outside(name: str) -> bool:
    """Whether a relative name leads out of its folder, judged by its text alone.

    Names come from tables that somebody else may have written, so they are not trusted. Symbolic links are trusted and
    followed: the owner of the folder made them, often because the images are stored elsewhere. Since only the text
    counts, ``link/../a.png`` is ``a.png`` beside the link, wherever the link leads.
    """
    return _OUTSIDE.search(name) is not None


def scan(root: Path) -> set[str]:
    """The paths of all files below `root`; links are followed, hidden files and folders are ignored.

    A folder that can be reached by several paths is listed once: under its own name if it is inside `root`, and
    otherwise under the first link to it.

    Raises
    ------
    ManifestError
        If a folder cannot be listed.
    """
    names: set[str] = set()
    seen: set[str] = set()
    tops = [str(root)]
    while tops:
        # Links are followed last, so that a folder inside root is listed under its own name.
        links: list[str] = []
        for folder, files in _folders(tops, seen, links):
            relative = Path(folder).relative_to(root).as_posix()
            prefix = "" if relative == "." else f"{relative}/"
            names.update(prefix + name for name in files if not name.startswith("."))
        tops = sorted(links)
    return names


def _folders(tops: list[str], seen: set[str], links: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Folders that are not in `seen` yet, with their files; links to folders are added to `links`."""
    for top in tops:
        for folder, subfolders, files in os.walk(top, onerror=_refuse_listing):
            real = os.path.realpath(folder)
            if real in seen:
                # `os.walk` descends into whatever is left in this list.
                subfolders.clear()
                continue
            seen.add(real)
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            links.extend(str(path) for name in subfolders if (path := Path(folder, name)).is_symlink())
            yield folder, files


def _refuse_listing(error: OSError) -> None:
    raise _cannot_list(error)


def _cannot_list(error: OSError) -> ManifestError:
    advice = "repair the link" if error.errno == errno.ELOOP else "ask for access to it"
    return ManifestError(f"{error.filename}: the folder cannot be listed: {error.strerror}; {advice}")


def _file_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if _may_be_file(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _cannot_list(error) from None


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether a name is a file, or a link to itself: reading that link gives an error that names the sample."""
    try:
        return entry.is_file()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return True
