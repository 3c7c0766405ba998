"""Open the storage at a location."""

from pathlib import Path

from cellfeat.provenance import digest_bytes, digest_file
from cellfeat.storage.base import Storage
from cellfeat.storage.local import LocalStorage
from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.url import Location, local_path


def open_storage(location: Location) -> Storage:
    """Open a folder, or the objects under an address. Nothing is read or made yet.

    Parameters
    ----------
    location
        The folder.

    Examples
    --------
    >>> open_storage(Path("features"))
    LocalStorage(location=PosixPath('features'))
    """
    path = local_path(location)
    if path is not None:
        return LocalStorage(path)
    assert not isinstance(location, Path)
    return ObjectStorage(location)


def is_there(location: Location) -> bool:
    """Whether there is a file at a location."""
    if isinstance(location, Path):
        return location.exists()
    return open_storage(location.parent).state(location.name) is not None


def digest_at(location: Location) -> str:
    """Compute the sha256 of a small file's bytes, as ``"sha256:…"``.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    if isinstance(location, Path):
        return digest_file(location)
    content = open_storage(location.parent).read(location.name)
    if content is None:
        raise FileNotFoundError(str(location))
    return digest_bytes(content)
