"""Tell folders of Zarr, each of which is one image or more, from other folders."""

from pathlib import Path

ENDING = ".zarr"
_METADATA = frozenset({".zattrs", ".zgroup", "zarr.json"})


def is_zarr_name(name: str) -> bool:
    """Whether a folder is called as one of Zarr."""
    return name.lower().endswith(ENDING)


def is_zarr(folder: Path) -> bool:
    """Whether a folder is one of Zarr, by its name or the metadata in it."""
    return is_zarr_name(folder.name) or any((folder / name).is_file() for name in _METADATA)
