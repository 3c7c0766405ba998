"""Open the storage at a location."""

from pathlib import Path

from cellfeat.errors import ConfigError
from cellfeat.storage.base import Storage
from cellfeat.storage.local import LocalStorage
from cellfeat.storage.url import Location
from cellfeat.text import NO_URLS


def open_storage(location: Location) -> Storage:
    """Open a folder, or the objects under an address. Nothing is read or made yet.

    Parameters
    ----------
    location
        The folder.

    Raises
    ------
    ConfigError
        If it is an address.
    """
    if isinstance(location, Path):
        return LocalStorage(location)
    raise ConfigError(f"{location}: {NO_URLS}")
