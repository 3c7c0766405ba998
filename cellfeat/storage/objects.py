"""The objects under an address, as a folder of files: S3, Google Cloud Storage, Azure, and web servers to read from."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from cellfeat.errors import ReadError, WriteError
from cellfeat.provenance import explained_errors
from cellfeat.storage.base import FileState
from cellfeat.storage.connection import endpoint_of
from cellfeat.storage.downloads import Download
from cellfeat.storage.failures import CutShortError, Failure, advice
from cellfeat.storage.requests import NO_CREATE, Requests
from cellfeat.storage.retries import RetryPolicy, library_errors
from cellfeat.storage.url import Url

_PIECE = 8 * 1024 * 1024
_MOST_PIECES = 9000
"""Bytes and number of the pieces of a large upload."""
_PAGE = 1000
_PROBE = "probe-"
_UNEXPLAINED = {400, 403, 405, 501}
_WRITER = "cellfeat-writer"
"""Metadata of an object: the writer that created it, to know one's own file again after a lost answer."""


class ObjectStorage:
    """A `Storage` under an address. Nothing is sent before the first request.

    Failures that may pass (500, 503, 429, time-outs, cut-off connections) are tried again and told as warnings of the
    logger ``cellfeat.storage.retries``. Credentials come from the environment alone, and are kept by the library:
    pickling and `repr` give the address.

    Parameters
    ----------
    location
        The address that stands for the folder.
    policy
        How often and how long a request is tried.

    Raises
    ------
    MissingExtraError
        At the first request, if the extra ``cloud`` is not installed.
    """

    def __init__(self, location: Url, policy: RetryPolicy = RetryPolicy()) -> None:  # noqa: B008  frozen
        self.location = location
        self.policy = policy
        self._requests = Requests(location, policy)
        self._knows_create = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process connects anew: connections and threads of the library do not survive.
        return ObjectStorage, (self.location, self.policy)

    def __repr__(self) -> str:
        return f"ObjectStorage({str(self.location)!r})"

    def prepare(self) -> None:
        """Refuse a web server. There is nothing to make: an object store has no folders.

        Raises
        ------
        WriteError
            If files cannot be written there.
        """
        self._requests.check_writable(self.location)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one of this name: of several writers exactly one gets True.

        Parameters
        ----------
        name, content
            The file's name and bytes.
        """
        writer, lost_answers = uuid4().hex, 0

        def request() -> bool:
            nonlocal lost_answers
            try:
                self._put(name, content, mode="create", attributes={_WRITER: writer})
            except library_errors() as error:
                if (failure := Failure.of(error)).kind != "exists":
                    lost_answers += 1
                    raise
                # Without a lost answer and a conflict of two requests (409), the file is surely that of another.
                return bool(lost_answers or failure.status == 409) and self._is_written_by(name, writer)
            return True

        self._check_that_creating_is_refused()
        return self._requests.write(name, request)

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of this name.

        Parameters
        ----------
        name, content
            The file's name and bytes.
        """
        self._requests.write(name, lambda: self._put(name, content, mode="overwrite"))

    def read(self, name: str, most: int | None = None) -> bytes | None:
        """Read a file; None where there is none.

        Parameters
        ----------
        name
            The file.
        most
            The most bytes that it may have; None: any number.

        Raises
        ------
        ReadError
            If it cannot be read, or has more bytes.
        """

        def request() -> bytes:
            import obstore

            found = obstore.get(self._requests.store, self._requests.key(name))
            if most is not None and found.meta["size"] > most:
                raise ReadError(f"{self.location / name}: has {found.meta['size']:,} bytes; expected at most {most:,}")
            content = found.bytes()
            if len(content) != found.meta["size"]:
                raise CutShortError
            return bytes(content)

        return self._requests.read(name, request)

    def read_start(self, name: str, n_bytes: int) -> bytes | None:
        """Read the first bytes of a file, or more of it where the server ignores ranges; None where there is none.

        Parameters
        ----------
        name
            The file.
        n_bytes
            How many bytes.
        """

        def request() -> bytes:
            import obstore

            try:
                found = obstore.get(self._requests.store, self._requests.key(name), options={"range": (0, n_bytes)})
            except library_errors() as error:
                # A server without ranges sends the whole file; an empty file has no range.
                if Failure.of(error).kind != "no ranges":
                    raise
                found = obstore.get(self._requests.store, self._requests.key(name))
            return bytes(found.bytes())

        return self._requests.read(name, request)

    def state(self, name: str) -> FileState | None:
        """Ask for size and version of a file; None where there is none."""

        def request() -> FileState:
            import obstore

            try:
                found = obstore.head(self._requests.store, self._requests.key(name))
            except library_errors() as error:
                if Failure.of(error).status not in _UNEXPLAINED:
                    raise
                # An answer to HEAD has no body, which would say why; and some servers do not know it.
                found = obstore.get(self._requests.store, self._requests.key(name)).meta
            return FileState(found["size"], found["e_tag"] or found["last_modified"].isoformat())

        return self._requests.read(name, request)

    def download(self, name: str, target: Path) -> FileState | None:
        """Read a file into a new one of this machine; None where there is none, and then `target` is not made.

        It is read piece by piece with little memory; after a failure, reading goes on where it ended.

        Parameters
        ----------
        name
            The file.
        target
            Where to write; an existing file is replaced. It is removed if reading fails.

        Raises
        ------
        ReadError
            If it cannot be read, or is replaced by another file meanwhile.
        WriteError
            If `target` cannot be written.
        """
        state = self.state(name)
        if state is None:
            return None
        try:
            with explained_errors(target), target.open("wb") as file:
                download = Download(self._requests.store, self._requests.key(name), state, file)
                while not download.is_whole:
                    if self._requests.read(name, download.read_piece) is None:
                        raise ReadError(f"{self.location / name}: was removed while it was read")
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return state

    def upload(self, name: str, source: Path) -> FileState:
        """Write a file of this machine, in pieces and with little memory, in place of one of this name.

        Parameters
        ----------
        name
            The file to write. It appears whole, or not at all.
        source
            The file of this machine.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        size = source.stat().st_size

        def request() -> str | None:
            import obstore

            piece = max(_PIECE, -(-size // _MOST_PIECES))
            written = obstore.put(
                self._requests.patient_store, self._requests.key(name), source, chunk_size=piece, max_concurrency=4
            )
            return written["e_tag"]

        version = self._requests.write(name, request)
        state = self.state(name)
        # Of another version, it is the file that another process has put there since.
        if state is None or (state.size != size and state.version == (version or state.version)):
            found = "nothing" if state is None else f"{state.size:,} bytes"
            raise WriteError(
                f"{self.location / name}: {size:,} bytes were written, and {found} arrived: "
                "start the same command again"
            )
        return FileState(size, version or state.version)

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield name and bytes of each file whose name begins with `prefix`, page by page, folders inside included."""
        if self.location.scheme in ("http", "https"):
            raise ReadError(
                f"{self.location}: a web server does not list its files: name the files in a table, or give an address "
                "that begins with s3://, gs:// or az://"
            )
        start = len(self._requests.key("")) + 1 if self.location.path else 0
        last: str | None = None
        while True:
            page = self._requests.read(prefix, partial(self._page, prefix, last))
            if page is None:
                raise ReadError(f"{self.location}: cannot be listed: {advice(Failure('no bucket'), self.location)}")
            for found in page:
                name = found["path"][start:]
                if name.startswith(prefix):
                    yield name, found["size"]
            if len(page) < _PAGE:
                return
            last = page[-1]["path"]

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        self._remove([self._requests.key(name)], name)

    def remove_all(self, prefix: str = "") -> None:
        """Remove the files whose name begins with `prefix`, many at a time; without one, all files."""
        keys: list[str] = []
        for name, _ in self.sizes(prefix):
            keys.append(self._requests.key(name))
            if len(keys) == _PAGE:
                self._remove(keys, "")
                keys = []
        if keys:
            self._remove(keys, "")

    def _put(self, name: str, content: bytes, **options: Any) -> None:
        import obstore

        obstore.put(self._requests.store, self._requests.key(name), content, use_multipart=False, **options)

    def _page(self, prefix: str, after: str | None) -> list[Any]:
        """List one page of objects, in the order of their names, from the one after `after`."""
        import obstore

        folder = self._requests.key(prefix.rpartition("/")[0])
        return list(next(iter(obstore.list(self._requests.store, folder or None, offset=after, chunk_size=_PAGE)), []))

    def _is_written_by(self, name: str, writer: str) -> bool:
        """Whether this writer wrote the file that is there; if there is none, that is a failure that may pass."""
        import obstore

        try:
            found = obstore.get(self._requests.store, self._requests.key(name), options={"head": True})
        except FileNotFoundError:
            raise CutShortError from None
        return found.attributes.get(_WRITER) == writer

    def _check_that_creating_is_refused(self) -> None:
        """Once for each storage: some servers ignore the condition, and would let two machines replace each other.

        The services themselves do not; other servers have an endpoint of their own.
        """
        if self._knows_create or endpoint_of(self.location) is None:
            return
        name = f"{_PROBE}{uuid4().hex}"

        def request() -> bool:
            self._put(name, b"", mode="overwrite")
            try:
                self._put(name, b"", mode="create")
            except library_errors() as error:
                if Failure.of(error).kind != "exists":
                    raise
                return True
            return False

        is_refused = self._requests.write(name, request)
        self.remove(name)
        if not is_refused:
            raise WriteError(f"{self.location}: {NO_CREATE}")
        self._knows_create = True

    def _remove(self, keys: list[str], name: str) -> None:
        def request() -> None:
            import obstore

            try:
                obstore.delete(self._requests.store, keys)
            except FileNotFoundError as error:
                if Failure.of(error).kind != "missing":
                    raise

        self._requests.write(name, request)
