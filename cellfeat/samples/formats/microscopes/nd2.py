"""ND2, the format of Nikon's microscopes."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import PARSER_FAULTS, truncated
from cellfeat.samples.formats.microscopes.nd2_chunks import FrameChunks
from cellfeat.samples.formats.microscopes.stack_file import Notes, StackFile, bits_of
from cellfeat.samples.formats.pixel_size import square_size
from cellfeat.samples.formats.planes import Stack

if TYPE_CHECKING:
    import nd2


@contextmanager
def open_nd2(path: Path) -> Iterator[StackFile]:
    """Open a file; each of its positions is an image.

    Parameters
    ----------
    path
        The file.
    """
    import nd2

    with nd2.ND2File(path) as file:
        # Files of before 2010 have no list of chunks.
        chunks = None if file.is_legacy else FrameChunks(path)
        _check_frames(file, path)
        n_positions = file.sizes.get("P", 1)
        described = [f"position {number}" for number in range(n_positions)]
        yield StackFile(described, lambda number: (_stack(file, number, chunks), _notes(file)))


def _check_frames(file: "nd2.ND2File", path: Path) -> None:
    """Refuse more frames than the file has bytes; the library would make a list of them."""
    n_frames = math.prod(loop.count for loop in file.experiment)
    if n_frames > path.stat().st_size:
        raise ImageError(truncated("ND2 file", f"it claims to hold {n_frames:,} planes"))


def _stack(file: "nd2.ND2File", position: int, chunks: FrameChunks | None) -> Stack:
    sizes = {axis: size for axis, size in file.sizes.items() if axis != "P"}
    frames = file.loop_indices

    def read(index: Mapping[str, int]) -> np.ndarray:
        wanted = {"P": position, **index}
        matching = (i for i, at in enumerate(frames) if all(at[axis] == wanted.get(axis, 0) for axis in at))
        number = next(matching, len(frames)) if frames else 0
        if chunks is not None:
            chunks.check(number)
        # A copy: the library gives a view of the file, which is closed before the pixels are used.
        return np.array(file.read_frame(number)).reshape(frame_shape)

    frame_shape = tuple(size for axis, size in sizes.items() if axis not in "TZ")
    return Stack("".join(sizes), tuple(sizes.values()), np.dtype(file.dtype), read)


def _notes(file: "nd2.ND2File") -> Notes:
    bits = file.attributes.bitsPerComponentSignificant or bits_of(np.dtype(file.dtype))
    try:
        channels = file.metadata.channels or []
        names = tuple(str(channel.channel.name) for channel in channels)
        volume = channels[0].volume
        is_calibrated = all(volume.axesCalibrated[:2])
        size = square_size(*map(float, volume.axesCalibration[:2])) if is_calibrated else None
    except (*PARSER_FAULTS, NameError):
        # The library trips over descriptions of channels that pixels do without.
        return Notes(int(bits))
    return Notes(int(bits), names, size)
