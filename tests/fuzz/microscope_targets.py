"""What is fuzzed of the formats of microscopes: bytes of ND2, CZI, LIF and h5sc files, and the metadata of OME-Zarr."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np

from cellfeat.errors import CellfeatError
from cellfeat.samples.formats.h5sc import read_cell, read_cells, read_channels
from cellfeat.samples.formats.headers import read_header
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.image_file.read import read_image
from tests.samples.formats.h5sc_files import write_h5sc
from tests.samples.formats.microscope_files import NAMES, write_czi, write_lif, write_nd2, write_zarr

MAX_PIXELS = 2**16
CHOICES = (PlaneChoice(), PlaneChoice(z="max", t=0, series=0), PlaneChoice(z=1, t=0))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cellfeat-fuzz-") as folder:
        yield Path(folder)


def _use(path: Path) -> None:
    for choice in CHOICES:
        with suppress(CellfeatError):
            image = read_image(path, MAX_PIXELS, choice)
            assert image.pixels.ndim == 3, image.pixels.shape
            assert 0 < image.pixels.size <= MAX_PIXELS, image.pixels.shape
            assert image.pixel_size is None or 0 < image.pixel_size < 1e6
            assert len(image.channel_names) in (0, len(image.pixels))
        with suppress(CellfeatError):
            read_header(path, choice)


def read_file(name: str) -> Callable[[bytes], None]:
    """Make the reader of a file of this name."""

    def read(content: bytes) -> None:
        with _folder() as folder:
            path = folder / name
            path.write_bytes(content)
            _use(path)

    return read


def read_zarr_metadata(content: bytes) -> None:
    """Read an image of OME-Zarr with other metadata: of the group, or of the array."""
    name = "0/.zarray" if b'"chunks"' in content else ".zattrs"
    with _folder() as folder:
        path = folder / "a.zarr"
        for file, whole in _zarr_files().items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_bytes(content if file == name else whole)
        _use(path)


@cache
def _zarr_files() -> dict[str, bytes]:
    """The files of an image of OME-Zarr."""
    with _folder() as folder:
        path = write_zarr(folder / "a.zarr", _pixels()[0], "zcyx", names=NAMES[:2])
        files = (file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def read_h5sc(content: bytes) -> None:
    """Read the table, the channels and a cell of a file of scPortrait, in a process that ends when HDF5 hangs.

    HDF5 walks in circles in some damaged files. Files of users are read in processes, too, which time ends.
    """
    with _folder() as folder:
        path = folder / "a.h5sc"
        path.write_bytes(content)
        process = os.fork()
        if process == 0:
            # Without a handler, the alarm ends the process even inside the library.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(3)
            os._exit(_exit_code(path))
        _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGALRM), code


def _exit_code(path: Path) -> int:
    try:
        for read in (read_cells, read_channels, lambda path: read_cell(path, 0, MAX_PIXELS)):
            with suppress(CellfeatError):
                read(path)
    except BaseException:  # noqa: BLE001, whatever it is
        return 1
    return 0


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4096, (1, 2, 2, 5, 6), dtype=np.uint16)


def _written(name: str, write: Callable[[Path], Path]) -> dict[str, bytes]:
    with _folder() as folder:
        return {name: write(folder / name).read_bytes()}


def nd2_seeds() -> dict[str, bytes]:
    """A file of two depths, and one of a single frame."""
    stack = _written("a.nd2", lambda path: write_nd2(path, _pixels()[0], {"Z": 2}, names=NAMES[:2]))
    return stack | _written("b.nd2", lambda path: write_nd2(path, _pixels()[0, :1], {}))


def czi_seeds() -> dict[str, bytes]:
    """A file of two depths, and one of tiles."""
    stack = _written("a.czi", lambda path: write_czi(path, _pixels()[np.newaxis], names=NAMES[:2]))
    return stack | _written("b.czi", lambda path: write_czi(path, _pixels()[np.newaxis, :, :1], tiles=2))


def lif_seeds() -> dict[str, bytes]:
    """A file of two images."""
    return _written("a.lif", lambda path: write_lif(path, {"a": _pixels(), "b": _pixels()[:, :1]}, names=NAMES[:2]))


def zarr_seeds() -> dict[str, bytes]:
    """The metadata of a group and of an array."""
    return {name: _zarr_files()[name] for name in (".zattrs", "0/.zarray")}


def h5sc_seeds() -> dict[str, bytes]:
    """A file of small crops."""
    pixels = np.random.default_rng(0).random((12, 4, 4, 4)).astype(np.float16)
    return _written("a.h5sc", lambda path: write_h5sc(path, pixels))
