"""Read the files of a sample into one array of their own type."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from cellfeat.config import ImagesSettings
from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice
from cellfeat.samples.image_file.channels import only_plane, pick_channels
from cellfeat.samples.image_file.properties import FileProperties, file_properties
from cellfeat.samples.image_file.read import read_content, read_image
from cellfeat.storage.url import Location, as_location

if TYPE_CHECKING:
    # Loads pandas, which the processes that read images (worker_pool.py) do without.
    from cellfeat.samples.manifest.manifest import Manifest

MAX_PIXELS: int = ImagesSettings.model_fields["max_pixels"].default


def pixel_digest(pixels: np.ndarray) -> str:
    """Digest an array of any shape: sha256, in hex, of its type, shape and values.

    Exact copies of an image have equal digests, whatever their files are.
    """
    # Little-endian, so that the digest depends neither on the machine nor on the byte order of the file.
    plain = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    sha = hashlib.sha256(f"{plain.dtype.str}{plain.shape}".encode())
    sha.update(plain.data)
    return sha.hexdigest()


class SampleImage(NamedTuple):
    """One sample as it was read.

    Attributes
    ----------
    pixels
        Shape ``(C, H, W)``, of the files' own type.
    properties
        What the files are.
    bits
        Bits of a value as the files state them, one number for each channel.
    plane_names
        Names of all planes of the file that holds the channels; empty where it names none, or each channel has a file.
    pixel_size
        Micrometres per pixel as the first file states them; None where it does not.
    orientation
        As in `Image`, of the first file.
    """

    pixels: np.ndarray
    properties: FileProperties
    bits: tuple[int, ...]
    plane_names: tuple[str, ...] = ()
    pixel_size: float | None = None
    orientation: int = 1


Outcome = SampleImage | ImageError | MissingFileError
"""One sample as it was read, or the error that says why not."""


class ReadsSamples(Protocol):
    """Reads samples by their row: a `SampleReader`, a `FieldsReader`, or one that uses processes or an object store."""

    def read(self, row: int) -> np.ndarray:
        """Read the pixels of one sample, as `SampleReader.read` does: shape ``(C, H, W)``."""
        ...

    def read_sample(self, row: int) -> SampleImage:
        """Read one sample, as `SampleReader.read_sample` does."""
        ...

    def where(self, row: int) -> str:
        """The files of a sample, for messages."""
        ...

    def block(self, row: int) -> int:
        """The number of the samples that are read at once with that in `row`; they follow each other."""
        ...

    def n_threads(self, n_workers: int) -> int:
        """How many threads should read at once, to keep `n_workers` processes busy."""
        ...


def no_note(path: Location) -> None:
    """Drop the path."""


@dataclass(frozen=True)
class SampleReader:
    """Reads samples by their row in the manifest; threads can share one, and it can be pickled.

    Attributes
    ----------
    root
        The folder that the names in `files` are relative to.
    files
        The file names of each sample: one of all channels, or one per channel.
    channels
        One channel for each plane of the result: the name in the file names, or, where one file holds all channels, an
        index into it or a name from its OME metadata.
    one_file_per_channel
        Whether every channel has its own file.
    max_pixels
        The most pixels that one file may hold, channels counted.
    plane
        Which plane of a stack is read.
    contents
        The bytes of the files of its only sample, in the order of `paths`; empty where they are read from the disk.
    """

    root: Location
    files: tuple[tuple[str, ...], ...]
    channels: tuple[str | int, ...]
    one_file_per_channel: bool
    max_pixels: int = MAX_PIXELS
    plane: PlaneChoice = NO_CHOICE
    contents: tuple[bytes, ...] = ()

    @classmethod
    def for_manifest(cls, manifest: "Manifest", *, max_pixels: int = MAX_PIXELS) -> "SampleReader":
        """Make the reader of a manifest's samples.

        Parameters
        ----------
        manifest
            The samples and their files.
        max_pixels
            The most pixels that one file may hold, channels counted.
        """
        files = tuple(zip(*(manifest.table[column] for column in manifest.file_columns), strict=True))
        per_channel = manifest.file_columns != ("file",)
        return cls(manifest.root, files, manifest.channels, per_channel, max_pixels, manifest.plane)

    def __len__(self) -> int:
        return len(self.files)

    def where(self, row: int) -> str:
        """The files of a sample, for messages."""
        return ", ".join(str(self.root / name) for name in self.files[row])

    def only(self, *rows: int) -> "SampleReader":
        """The reader of some samples alone, as its first rows."""
        return replace(self, files=tuple(self.files[row] for row in rows))

    def block(self, row: int) -> int:
        """The row itself: each sample has files of its own."""
        return row

    def n_threads(self, n_workers: int) -> int:
        """One for each process."""
        return n_workers

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files of all samples, in the order in which they are opened."""
        n = None if self.one_file_per_channel else 1
        return tuple(name for files in self.files for name in files[:n])

    @property
    def paths(self) -> list[Location]:
        """The files of all samples, in the order in which they are opened."""
        return [self.root / name for name in self.names]

    def request(self) -> dict[str, Any]:
        """The reader as JSON values without `contents`, from which `from_request` makes it again."""
        values = {name: value for name, value in vars(self).items() if name != "contents"}
        return {**values, "root": str(self.root)}

    @classmethod
    def from_request(cls, request: dict[str, Any], contents: tuple[bytes, ...] = ()) -> "SampleReader":
        """Make a reader of what `request` gave.

        Parameters
        ----------
        request
            The values.
        contents
            As in `SampleReader`.
        """
        files, channels = tuple(map(tuple, request["files"])), tuple(request["channels"])
        values = {"root": as_location(request["root"]), "files": files, "channels": channels}
        return cls(**{**request, **values, "plane": PlaneChoice(*request["plane"])}, contents=contents)

    def read_all(self, *, on_file: Callable[[Location], None] = no_note) -> list[Outcome]:
        """Read all samples; an error becomes the outcome.

        Parameters
        ----------
        on_file
            Called with each file before it is opened.
        """
        return [self._outcome(row, on_file) for row in range(len(self))]

    def _outcome(self, row: int, on_file: Callable[[Location], None]) -> Outcome:
        try:
            return self.read_sample(row, on_file=on_file)
        except (ImageError, MissingFileError) as error:
            return error

    def read(self, row: int) -> np.ndarray:
        """Read the pixels of one sample, shape ``(C, H, W)``; see `read_sample`."""
        return self.read_sample(row).pixels

    def read_sample(self, row: int, *, on_file: Callable[[Location], None] = no_note) -> SampleImage:
        """Read one sample, its channels in the order of `channels`.

        Parameters
        ----------
        row
            Row of the manifest.
        on_file
            Called with each file before it is opened.

        Raises
        ------
        MissingFileError
            If a file does not exist.
        ImageError
            If a file cannot be read, or the files of the channels do not fit each other.
        """
        pixels, images = self.read_files(row, on_file=on_file)
        return sample_image(pixels, images)

    def read_files(
        self, row: int, *, on_file: Callable[[Location], None] = no_note
    ) -> tuple[np.ndarray, tuple[Image, ...]]:
        """Read the pixels of one sample, shape ``(C, H, W)``, and the decoded files that they come from.

        Parameters
        ----------
        row, on_file
            As for `read_sample`.
        """
        paths = self.only(row).paths
        contents = self.contents or (None,) * len(paths)
        images, parts = zip(*(self._read_file(*one, on_file) for one in zip(paths, contents, strict=True)), strict=True)
        return _stack(parts, paths) if self.one_file_per_channel else parts[0], images

    def _read_file(
        self, path: Location, content: bytes | None, on_file: Callable[[Location], None]
    ) -> tuple[Image, np.ndarray]:
        """Read one file: all of it, and what the sample takes of it, a plane or all channels."""
        on_file(path)
        image = self._decoded(path, content)
        try:
            return image, only_plane(image) if self.one_file_per_channel else pick_channels(image, self.channels)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from None

    def _decoded(self, path: Location, content: bytes | None) -> Image:
        if content is not None:
            return read_content(content, path, self.max_pixels, self.plane)
        assert isinstance(path, Path), "objects of an address come with their bytes"
        return read_image(path, self.max_pixels, self.plane)


def sample_image(pixels: np.ndarray, images: Sequence[Image]) -> SampleImage:
    """Make a sample of pixels and the decoded files that they come from.

    Parameters
    ----------
    pixels
        All of the files or a crop, shape ``(C, H, W)``.
    images
        The files.
    """
    bits = tuple(image.bits_stated for image in images)
    first = images[0]
    names = tuple(first.channel_names[: len(first.pixels)]) if len(images) == 1 else ()
    return SampleImage(
        pixels,
        file_properties(pixels, images),
        bits * (len(pixels) // len(bits)),
        names,
        first.pixel_size,
        first.orientation,
    )


def _stack(planes: Sequence[np.ndarray], paths: Sequence[Location]) -> np.ndarray:
    for plane, path in zip(planes, paths, strict=True):
        if (plane.shape, plane.dtype) != (planes[0].shape, planes[0].dtype):
            raise ImageError(
                f"{path}: is {_kind(plane)}, but {paths[0].name} of the same sample is {_kind(planes[0])}; "
                "expected all channels of a sample to have one size and type"
            )
    return np.stack(planes)


def _kind(plane: np.ndarray) -> str:
    height, width = plane.shape
    return f"{width} x {height} {plane.dtype}"
