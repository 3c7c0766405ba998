"""How file names and samples correspond: what every layout does."""

import re
from typing import NamedTuple, Protocol

from cellfeat.samples.folders.base import ImageFolder

# An absolute path, a drive of Windows, or ``..`` as a whole part of the path.
_OUTSIDE = re.compile(r"^/|^[A-Za-z]:/|(^|/)\.\.(/|$)")


class Found(NamedTuple):
    """What a file name says of its sample.

    Attributes
    ----------
    sample_id, label, split
        Sample id, label and part of a split; ``""`` where the name has none.
    further
        Further columns with their values, such as ``("plate", "P1")``.
    """

    sample_id: str
    label: str
    split: str = ""
    further: tuple[tuple[str, str], ...] = ()


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

    def on_disk(self, folder: ImageFolder) -> set[str]:
        """The names of the existing files."""
        ...


def leads_outside(name: str) -> bool:
    """Whether a relative name leads out of its folder, judged by its text alone.

    Names come from tables that somebody else may have written, so they are not trusted. Symbolic links are trusted and
    followed: the owner of the folder made them, often because the images are stored elsewhere. Since only the text
    counts, ``link/../a.png`` is ``a.png`` beside the link, wherever the link leads.
    """
    return _OUTSIDE.search(name) is not None
