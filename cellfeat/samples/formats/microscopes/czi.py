"""CZI, the format of Zeiss' microscopes."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import imagecodecs
import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import truncated
from cellfeat.samples.formats.microscopes.stack_file import Notes, StackFile, bits_of
from cellfeat.samples.formats.pixel_size import square_size
from cellfeat.samples.formats.planes import Stack

if TYPE_CHECKING:
    import czifile

_SERIES = "S"
_SINGLE = "SB"
"""Axes of which an image has one: the scene, and the acquisition block."""
_ZSTD, _ZSTD_WITH_HEADER = 5, 6
"""Compressions that the library lacks."""


@dataclass(frozen=True)
class _Block:
    """A piece of an image: its first pixel and its size along each axis, and where its data are."""

    start: dict[str, int]
    size: dict[str, int]
    entry: Any


@contextmanager
def open_czi(path: Path) -> Iterator[StackFile]:
    """Open a file; each of its scenes is an image, put together out of its tiles.

    Parameters
    ----------
    path
        The file.
    """
    import czifile

    with warnings.catch_warnings():
        # It warns of missing segments, which are refused below.
        warnings.simplefilter("ignore")
        try:
            with czifile.CziFile(str(path), multifile=False) as file:
                yield _opened(file)
        except czifile.SegmentNotFoundError as error:
            raise ImageError(truncated("CZI file", str(error))) from None


def _opened(file: "czifile.CziFile") -> StackFile:
    if file.header.file_part:
        raise ImageError("is one part of a CZI in several files; save it as one file")
    blocks = [_block(entry) for entry in file.subblock_directory if _is_full_size(entry)]
    notes = _notes(file, blocks)
    scenes = sorted({block.start.get(_SERIES, 0) for block in blocks})
    described = [f"scene {scene}" for scene in scenes]
    return StackFile(described, lambda number: (_stack(_of_scene(blocks, scenes[number])), notes))


def _is_full_size(entry: Any) -> bool:
    """Whether a block is of the image itself, not one of its smaller copies."""
    return tuple(entry.stored_shape) == tuple(entry.shape)


def _block(entry: Any) -> _Block:
    entries = [one for one in entry.dimension_entries if one.dimension != "M"]
    start = {one.dimension: int(one.start) for one in entries}
    size = {one.dimension: int(one.size) for one in entries}
    return _Block(start, size, entry)


def _of_scene(blocks: Sequence[_Block], scene: int) -> list[_Block]:
    return [block for block in blocks if block.start.get(_SERIES, 0) == scene]


def _stack(blocks: Sequence[_Block]) -> Stack:
    """Make the stack of one scene."""
    types = {np.dtype(block.entry.dtype) for block in blocks}
    if len(types) > 1:
        raise ImageError(f"has pixels of {len(types)} types ({', '.join(sorted(map(str, types)))}); expected one")
    dtype, samples = types.pop().base, int(np.prod(_samples_shape(blocks[0])))
    axes = [axis for axis in blocks[0].size if axis not in _SINGLE]
    start = {axis: min(block.start.get(axis, 0) for block in blocks) for axis in axes}
    ends = {axis: max(block.start.get(axis, 0) + block.size.get(axis, 1) for block in blocks) for axis in axes}
    sizes = {axis: ends[axis] - start[axis] for axis in axes}

    def read(index: Mapping[str, int]) -> np.ndarray:
        fixed = {axis: start[axis] + number for axis, number in index.items() if axis in start}
        wanted = [block for block in blocks if _has(block, fixed)]
        left = [axis for axis in axes if axis not in fixed]
        return _put_together(wanted, start, {axis: sizes[axis] for axis in left}, (dtype, samples))

    shape = tuple(sizes.values())
    return Stack("".join(axes) + "S", (*shape, samples), dtype, read)


def _samples_shape(block: _Block) -> tuple[int, ...]:
    """Samples of a pixel, as a shape: three of a colour."""
    return np.dtype(block.entry.dtype).shape


def _has(block: _Block, fixed: Mapping[str, int]) -> bool:
    """Whether a block has pixels at an index of some axes."""
    starts = ((block.start.get(axis, 0), block.size.get(axis, 1), number) for axis, number in fixed.items())
    return all(start <= number < start + size for start, size, number in starts)


def _put_together(
    blocks: Sequence[_Block], start: Mapping[str, int], sizes: Mapping[str, int], kind: tuple[np.dtype, int]
) -> np.ndarray:
    """Put the tiles of a plane together; later ones lie over earlier ones, as in the order of the file.

    Parameters
    ----------
    blocks
        The tiles.
    start
        The first pixel of the image along each axis.
    sizes
        Sizes of the axes of the plane.
    kind
        Type of the pixels, and samples of each.
    """
    dtype, samples = kind
    plane = np.zeros((*sizes.values(), samples), dtype)
    is_filled = np.zeros(tuple(sizes.values()), bool)
    for block in sorted(blocks, key=lambda block: block.entry.mosaic_index or 0):
        pixels = _decoded(block)
        where = tuple(
            slice(block.start[axis] - start[axis], block.start[axis] - start[axis] + block.size[axis]) for axis in sizes
        )
        plane[where] = pixels.reshape(plane[where].shape)
        is_filled[where] = True
    if not is_filled.any(axis=tuple(i for i, axis in enumerate(sizes) if axis in "YX")).all():
        raise ImageError(truncated("CZI file", "planes are missing"))
    return plane


def _decoded(block: _Block) -> np.ndarray:
    segment = block.entry.data_segment()
    compression = block.entry.compression
    if compression not in (_ZSTD, _ZSTD_WITH_HEADER):
        return np.asarray(segment.data(resize=False))
    dtype = np.dtype(block.entry.dtype)
    content, is_split = segment.data(raw=True), False
    if compression == _ZSTD_WITH_HEADER:
        content, is_split = _without_header(content)
    values = imagecodecs.zstd_decode(content)
    if is_split:
        # All low bytes come first, then all high bytes.
        values = np.frombuffer(values, np.uint8).reshape(2, -1).T.tobytes()
    pixels = np.frombuffer(values, dtype.base).reshape(block.entry.stored_shape)
    # Colours are stored from blue to red.
    return pixels[..., ::-1] if pixels.shape[-1] == 3 else pixels


def _without_header(content: bytes) -> tuple[bytes, bool]:
    """Split off the header of a compressed block, which says whether low and high bytes are apart."""
    if not content or content[0] > len(content) or content[0] < 1:
        raise ImageError(truncated("CZI file", "a compressed block has no header"))
    header = content[1 : content[0]]
    return content[content[0] :], len(header) >= 2 and header[0] == 1 and bool(header[1] & 1)


def _notes(file: "czifile.CziFile", blocks: Sequence[_Block]) -> Notes:
    """Notes in the metadata of the file; without metadata, those of the pixels alone."""
    if not blocks:
        raise ImageError(truncated("CZI file", "it holds no pixels"))
    dtype = np.dtype(blocks[0].entry.dtype).base
    if not file.header.metadata_position:
        return Notes(bits_of(dtype))
    told = file.metadata()
    if not told:
        raise ImageError(truncated("CZI file", "its metadata are missing"))
    root = ElementTree.fromstring(told)
    channels = root.findall("./Metadata/Information/Image/Dimensions/Channels/Channel")
    bits = _number(root.findtext("./Metadata/Information/Image/ComponentBitCount"))
    stated = int(bits) if bits is not None and bits in range(8, bits_of(dtype) + 1) else bits_of(dtype)
    metres = [_number(root.findtext(f"./Metadata/Scaling/Items/Distance[@Id='{axis}']/Value")) for axis in ("X", "Y")]
    width, height = (None if value is None else value * 1e6 for value in metres)
    return Notes(stated, tuple(channel.get("Name", "") for channel in channels), square_size(width, height))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
