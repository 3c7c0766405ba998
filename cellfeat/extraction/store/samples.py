"""The samples of a feature file: everything about them but the embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.provenance import digest_json
from cellfeat.samples.regions import Regions
from cellfeat.text import counted
from cellfeat.types import Bools, Float32s, Integers, Strings

PROPERTIES = np.dtype(
    [
        ("dtype", "S8"),
        ("bits_stated", "S12"),
        ("bits_used", "u1"),
        ("height", "<u4"),
        ("width", "<u4"),
        ("file_format", "S16"),
    ]
)
"""File properties of a sample, as `FileProperties` in `cellfeat.samples.image_file`; empty or 0 where it failed."""


INTENSITIES = np.dtype([("mean", "<f4"), ("deviation", "<f4"), ("highest", "<f4")])
"""Intensities of a channel of a sample, as `cellfeat.samples.intensity` measures them; 0 where it failed."""


class Status(IntEnum):
    """Whether a sample could be read."""

    OK = 0
    FAILED = 1


@dataclass(frozen=True)
class Properties:
    """What the files of each sample are; see `cellfeat.samples.image_file.properties.FileProperties` for the meaning.

    Attributes
    ----------
    records
        One record of type `PROPERTIES` for each sample, shape ``(n_samples,)``.
    """

    records: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: Integers) -> Self:
        """Give the properties of some samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        return type(self)(self.records[rows])

    @property
    def dtype(self) -> Strings:
        """Type of the pixels in the files, for example ``uint16``; shape ``(n_samples,)``."""
        return self._text("dtype")

    @property
    def bits_stated(self) -> Strings:
        """Bits of a value as the files' headers state them, as text; shape ``(n_samples,)``."""
        return self._text("bits_stated")

    @property
    def states_fewer_bits(self) -> Bools:
        """Whether a file states fewer bits than its type has, as of a 12-bit camera; shape ``(n_samples,)``."""
        pairs = zip(self.dtype.tolist(), self.bits_stated.tolist(), strict=True)
        return np.array([not _states_all_bits(*pair) for pair in pairs], dtype=bool)

    @property
    def bits_used(self) -> Integers:
        """Bits that the largest value needs, 0 for floats; shape ``(n_samples,)``."""
        return self._number("bits_used")

    @property
    def height(self) -> Integers:
        """Height in pixels; shape ``(n_samples,)``."""
        return self._number("height")

    @property
    def width(self) -> Integers:
        """Width in pixels; shape ``(n_samples,)``."""
        return self._number("width")

    @property
    def file_format(self) -> Strings:
        """``png``, ``jpeg``, ``tiff`` or another, joined by ``+`` where files differ; shape ``(n_samples,)``."""
        return self._text("file_format")

    @property
    def kind(self) -> Strings:
        """Type of the pixels, and the bits stated if they are fewer: ``uint16 of 12 bits``; shape ``(n_samples,)``."""
        stated = np.char.add(np.char.add(" of ", self.bits_stated), " bits")
        return np.char.add(self.dtype, np.where(self.states_fewer_bits, stated, ""))

    @property
    def bits_of_wide_integers(self) -> Integers:
        """`bits_used` of integers of more than 8 bits, shape ``(n_samples,)``; 0 for others, where it is brightness."""
        is_wide = (np.char.find(self.dtype, "int") >= 0) & ~np.isin(self.dtype, ["uint8", "int8"])
        return np.where(is_wide, self.bits_used, 0)

    @property
    def size(self) -> Strings:
        """Height and width as text, for example ``64 x 80``; shape ``(n_samples,)``."""
        text = np.char.add(np.char.add(self.height.astype(np.str_), " x "), self.width.astype(np.str_))
        return np.where(self.height > 0, text, "")

    def _text(self, name: str) -> Strings:
        return self.records[name].astype(np.str_)

    def _number(self, name: str) -> Integers:
        return self.records[name].astype(np.int64)


@dataclass(frozen=True)
class Intensities:
    """Intensities of each channel as the network receives them, from 0 (black) to 1 (white); 0 where a sample failed.

    Attributes
    ----------
    records
        One record of type `INTENSITIES` for each sample and channel, shape ``(n_samples, n_channels)``.
    """

    records: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: Integers) -> Self:
        """Give the intensities of some samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        return type(self)(self.records[rows])

    @property
    def mean(self) -> Float32s:
        """Mean over the pixels, shape ``(n_samples, n_channels)``."""
        return self.records["mean"]

    @property
    def deviation(self) -> Float32s:
        """Standard deviation over the pixels, shape ``(n_samples, n_channels)``."""
        return self.records["deviation"]

    @property
    def highest(self) -> Float32s:
        """The highest value, shape ``(n_samples, n_channels)``."""
        return self.records["highest"]


@dataclass(frozen=True, repr=False)
class Samples:
    """Samples in the order of their rows.

    Attributes
    ----------
    ids, labels, groups
        Shape ``(n_samples,)``; ``""`` where a sample has no label or no group.
    status
        A `Status` each, shape ``(n_samples,)``.
    digests
        sha256 of the decoded pixels in hex, shape ``(n_samples,)``; ``""`` where the sample could not be read.
    columns
        Further columns of the labels table by name, shape ``(n_samples,)`` each.
    failures
        Why a sample could not be read, by row.
    properties
        What the files of each sample are; None where that is unknown.
    intensities
        Intensities of each channel; None where they are unknown.
    regions
        Where each sample lies on its field; None where each sample is a whole image, or that is unknown.
    """

    ids: Strings
    labels: Strings
    groups: Strings
    status: NDArray[np.uint8]
    digests: Strings
    columns: Mapping[str, Strings] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)
    properties: Properties | None = None
    intensities: Intensities | None = None
    regions: Regions | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Samples {len(self):,}: {self.describe()}>"

    def describe(self) -> str:
        """Give the number of classes, of groups, of samples without a label and of those that failed."""
        n_unlabelled, n_failed = np.count_nonzero(self.labels == ""), np.count_nonzero(~self.is_ok)
        classes, groups = (set(values.tolist()) - {""} for values in (self.labels, self.groups))
        parts = [counted(len(classes), "class"), counted(len(groups), "group")]
        parts += [f"{n_unlabelled:,} without a label"] if n_unlabelled else []
        parts += [f"{n_failed:,} could not be read"] if n_failed else []
        return ", ".join(parts)

    def take(self, rows: Integers) -> Self:
        """Give some of the samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        return type(self)(
            ids=self.ids[rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
            status=self.status[rows],
            digests=self.digests[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
            failures={
                place: self.failures[row] for place, row in enumerate(np.asarray(rows).tolist()) if row in self.failures
            },
            properties=None if self.properties is None else self.properties.take(rows),
            intensities=None if self.intensities is None else self.intensities.take(rows),
            regions=None if self.regions is None else self.regions.take(rows),
        )

    @cached_property  # seconds for a million samples
    def digest(self) -> str:
        """sha256 of their ids and pixels, in order. Labels, groups and columns are not included."""
        return samples_digest(self.ids, self.digests)

    @property
    def is_ok(self) -> Bools:
        """Whether each sample could be read, shape ``(n_samples,)``."""
        return self.status == Status.OK

    @property
    def is_labelled(self) -> Bools:
        """Whether each sample has a label, shape ``(n_samples,)``."""
        return self.labels != ""


def _states_all_bits(dtype: str, bits: str) -> bool:
    # A type's name without its letters is its number of bits: uint16. A failed sample has no type.
    return not dtype or dtype.startswith("float") or bits == dtype.lstrip("uint")


def samples_digest(ids: Strings, pixel_digests: Strings) -> str:
    """Compute the sha256 of the ids and pixels of samples.

    Parameters
    ----------
    ids, pixel_digests
        Id of each sample and digest of its pixels in hex, shape ``(n_samples,)``.
    """
    return digest_json([ids.tolist(), pixel_digests.tolist()])


def no_properties(n_samples: int) -> NDArray[Any]:
    """Make empty records of file properties, as failed samples have: shape ``(n_samples,)``."""
    return np.zeros(n_samples, PROPERTIES)


def no_intensities(n_samples: int, n_channels: int = 1) -> NDArray[Any]:
    """Make empty records of intensities, as failed samples have.

    Parameters
    ----------
    n_samples, n_channels
        Their number.

    Returns
    -------
    ndarray of shape (n_samples, n_channels)
    """
    return np.zeros((n_samples, n_channels), INTENSITIES)
