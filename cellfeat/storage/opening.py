"""Open the storage at a location."""

from pathlib import Path

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
