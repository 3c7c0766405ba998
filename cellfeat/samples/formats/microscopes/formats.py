"""Which files are of a microscope's format, by their first bytes, or for a folder by what is in it."""

from pathlib import Path

from cellfeat.samples.formats.microscopes.czi import open_czi
from cellfeat.samples.formats.microscopes.lif import open_lif
from cellfeat.samples.formats.microscopes.nd2 import open_nd2
from cellfeat.samples.formats.microscopes.stack_file import StackFormat
from cellfeat.samples.formats.microscopes.zarr import open_zarr
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr

ZARR = StackFormat("zarr", "OME-Zarr", "zarr", open_zarr)
ND2 = StackFormat("nd2", "ND2", "nd2", open_nd2)
CZI = StackFormat("czi", "CZI", "czifile", open_czi)
LIF = StackFormat("lif", "LIF", "liffile", open_lif)

ENDINGS = {".nd2": ND2, ".czi": CZI, ".lif": LIF}
"""Formats by the endings of their files, in lower case."""
_SIGNATURES = ((b"\xda\xce\xbe\x0a", ND2), (b"ZISRAWFILE", CZI))
_LONGEST = 16


def stack_format(path: Path) -> StackFormat | None:
    """Give the format of a microscope's file or folder; None for any other.

    The first bytes decide, and for LIF files and the oldest ND2 files, whose first bytes others share, the ending too.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    if path.is_dir():
        return ZARR if is_zarr(path) else None
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    by_start = next((kind for signature, kind in _SIGNATURES if start.startswith(signature)), None)
    by_ending = ENDINGS.get(path.suffix.lower())
    if by_start is not None or by_ending is None:
        return by_start
    is_old_nd2 = by_ending is ND2 and start.startswith(b"\0\0\0\x0cjP")
    is_lif = by_ending is LIF and start.startswith(b"\x70\0\0\0")
    return by_ending if is_old_nd2 or is_lif else None
