"""Write a file to a path or an address, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellfeat.provenance import publish
from cellfeat.storage.file_cache import keep, room_for
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Location


@contextmanager
def publish_at(location: Location) -> Iterator[Path]:
    """Write a file of this machine or of an object store, so that it appears whole or not at all.

    Yields a path to write to. When the block ends, that file replaces the one at `location` (see `publish`), or is sent
    to the address; its copy stays in the cache. After an exception, `location` is unchanged.

    Raises
    ------
    DiskFullError, WriteError
        If it cannot be written.
    """
    if isinstance(location, Path):
        with publish(location) as temporary:
            yield temporary
        return
    with room_for(location) as temporary:
        yield temporary
        state = open_storage(location.parent).upload(location.name, temporary)
        keep(location, state, temporary)
