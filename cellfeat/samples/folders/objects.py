"""A folder of images on an object store."""

import posixpath
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property, partial

from cellfeat.errors import ImageError, ManifestError, MissingFileError, ReadError
from cellfeat.samples.daemon_pool import DaemonPool
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr_name
from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.url import Url
from cellfeat.text import first_ten

REQUESTS = 64
"""Objects that are read at once: while a server takes 50 ms to answer, one at a time would be 20 a second."""
ROOM = 256 * 2**20
"""Bytes of the objects that are in memory at once, as far as they are all of the size of the largest."""
_WITHOUT_LISTING = ("http", "https")


class ObjectFolder:
    """An `ImageFolder` on an object store. It is listed once, in pages; each answer comes from this listing.

    A web server cannot be listed. There the names that a table gives are taken to exist: one that does not becomes the
    error of its sample when it is read.

    Parameters
    ----------
    location
        The address of the folder.
    """

    def __init__(self, location: Url) -> None:
        self.location = location
        self._objects = RemoteFiles(location)

    def exists(self) -> bool:
        """Whether there is any object below the address."""
        return self._is_web_server or bool(self._listed)

    def names(self) -> set[str]:
        """The names of all objects below the address, hidden ones left out; a folder of Zarr is one file."""
        return {name for name in self._listed if not any(part.startswith(".") for part in name.split("/"))}

    def names_beside(self, names: Collection[str]) -> set[str]:
        """The names of all objects in the folders that `names` lie in."""
        if self._is_web_server:
            return set(names)
        folders = set(map(posixpath.dirname, names))
        return {name for name in self._listed if posixpath.dirname(name) in folders}

    def folders(self, depth: int) -> set[str]:
        """The visible folders that lie `depth` folders deep: those with an object in them."""
        parts = (name.split("/")[:depth] for name in self.names() if name.count("/") >= depth)
        return {"/".join(folder) for folder in parts}

    def starts(self, names: Collection[str], n_bytes: int) -> dict[str, bytes]:
        """The first bytes of objects, many at once; no bytes where an object cannot be read.

        Parameters
        ----------
        names
            Names of the objects.
        n_bytes
            How many bytes.
        """

        def start(name: str) -> bytes:
            try:
                return self._objects.read_start(name, n_bytes)
            except (ImageError, MissingFileError):
                return b""

        pool = DaemonPool(REQUESTS, "starts")
        try:
            calls = [(name, pool.submit(start, name)) for name in names]
            return {name: call.result() for name, call in calls}
        finally:
            pool.close()

    @property
    def _is_web_server(self) -> bool:
        return self.location.scheme in _WITHOUT_LISTING

    @cached_property
    def _listed(self) -> set[str]:
        names = {_image_name(name) for name, _ in self._objects.storage.sizes() if name}
        odd = sorted(name for name in names if "" in name.split("/") or {".", ".."} & set(name.split("/")))
        if odd:
            raise ManifestError(
                f"{self.location}: keys of {len(odd)} objects have an empty part, '.' or '..' between slashes, as no "
                f"path has: {first_ten(odd)}; copy the objects to other keys"
            )
        return names


def _image_name(name: str) -> str:
    """The name of the file that an object is, or is a part of: folders of Zarr are one image."""
    parts = name.split("/")
    inside = next((depth for depth, part in enumerate(parts[:-1], 1) if is_zarr_name(part)), len(parts))
    return "/".join(parts[:inside])


class RemoteFiles:
    """Reads objects below an address, whole and into memory. Threads can share one.

    What is wrong with one object is an error of its sample. A store that does not answer, or refuses everything, is an
    error of the run, so that an outage quarantines no sample: where an object cannot be read, the store is asked for
    another answer, and the object is read once more.

    Parameters
    ----------
    location
        The address.
    """

    def __init__(self, location: Url) -> None:
        self.location = location
        self.storage = ObjectStorage(location)
        self._room = _Room(REQUESTS, ROOM)

    @contextmanager
    def opened(self, names: Collection[str], most: int) -> Iterator[tuple[bytes, ...]]:
        """Read objects; within the block they count as being in memory, and it begins when there is room for them.

        Parameters
        ----------
        names
            Names of the objects.
        most
            The most bytes that one may have.

        Raises
        ------
        MissingFileError
            If an object does not exist.
        ImageError
            If the store gives others, and not this one, or it is larger.
        ReadError
            If the store does not answer.
        """
        with self._room.taken() as tell_size:
            contents = tuple(self._read(name, partial(self.storage.read, name, most)) for name in names)
            tell_size(sum(map(len, contents)))
            yield contents

    def read_start(self, name: str, n_bytes: int) -> bytes:
        """Read the first bytes of an object.

        Parameters
        ----------
        name
            Its name.
        n_bytes
            How many bytes.

        Raises
        ------
        MissingFileError, ImageError, ReadError
            As `opened`.
        """
        return self._read(name, partial(self.storage.read_start, name, n_bytes))

    def _read(self, name: str, read: Callable[[], bytes | None]) -> bytes:
        try:
            content = self._read_twice(read)
        except _RefusedError as error:
            raise ImageError(str(error)) from None
        if content is None:
            raise MissingFileError(f"{self.location / name}: the object does not exist")
        return content

    def _read_twice(self, read: Callable[[], bytes | None]) -> bytes | None:
        try:
            return read()
        except ReadError:
            if self.location.scheme in _WITHOUT_LISTING:
                raise
            self._check_answers()
        try:
            return read()
        except ReadError as error:
            raise _RefusedError(str(error)) from None

    def _check_answers(self) -> None:
        """Ask the store for the names of its objects, which it gave before.

        Raises
        ------
        ReadError
            If it does not answer.
        """
        next(iter(self.storage.sizes()), None)


class _RefusedError(Exception):
    """A store that answers does not give this object."""


class _Room:
    """Lets so many threads in that what they hold fits into memory.

    Parameters
    ----------
    most
        The most threads.
    n_bytes
        The most bytes, by the size of the largest so far; one thread is always let in.
    """

    def __init__(self, most: int, n_bytes: int) -> None:
        self._most, self._bytes = most, n_bytes
        self._changed = threading.Condition()
        self._inside, self._largest = 0, 0

    @contextmanager
    def taken(self) -> Iterator[Callable[[int], None]]:
        """Wait for room, and hold it within the block, which calls what it is given with the bytes it holds."""
        with self._changed:
            self._changed.wait_for(lambda: self._inside < self._limit)
            self._inside += 1
        try:
            yield self._tell_size
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @property
    def _limit(self) -> int:
        # One, until a first size is known.
        return max(1, min(self._most, self._bytes // self._largest)) if self._largest else 1

    def _tell_size(self, n_bytes: int) -> None:
        with self._changed:
            self._largest = max(self._largest, n_bytes)
            self._changed.notify_all()
