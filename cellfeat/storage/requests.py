"""Requests to the server of an address: tried again where a failure may pass, and explained where it stays."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from cellfeat.errors import ReadError, WriteError
from cellfeat.storage.connection import connect
from cellfeat.storage.failures import advice
from cellfeat.storage.retries import FailedRequestError, Retries, RetryPolicy
from cellfeat.storage.url import Url

if TYPE_CHECKING:
    from obstore.store import ObjectStore

Result = TypeVar("Result")

NO_CREATE = (
    "this server cannot write a file only where there is none (If-None-Match), which keeps two machines from replacing "
    "each other's files: use a store that can, such as AWS S3, Google Cloud Storage, Azure or a recent MinIO"
)


class Requests:
    """Requests about the files under an address.

    Parameters
    ----------
    location
        The address that stands for the folder.
    policy
        How often and how long a request is tried.
    """

    def __init__(self, location: Url, policy: RetryPolicy) -> None:
        self.location = location
        self._retries = Retries(policy)

    @cached_property
    def store(self) -> "ObjectStore":
        """The library's connection."""
        return connect(self.location)

    @cached_property
    def patient_store(self) -> "ObjectStore":
        """A connection that tries pieces of a large upload again by itself."""
        return connect(self.location, retries_of_pieces=True)

    def key(self, name: str) -> str:
        """Give the name of an object on the server."""
        key = "/".join(part for part in (self.location.path, name) if part)
        # The library writes %20 for a space: a web address has it already.
        return unquote(key) if self.location.scheme in ("http", "https") else key

    def read(self, name: str, request: Callable[[], Result]) -> Result | None:
        """Run a request that reads; None where there is no such file.

        Parameters
        ----------
        name
            The file, for messages.
        request
            Makes the request; it may run several times.

        Raises
        ------
        ReadError
            If it fails for good.
        """
        try:
            return self._run(name, request)
        except FailedRequestError as error:
            if error.failure.kind == "missing":
                return None
            raise ReadError(self._message(name, "cannot be read", error)) from None

    def write(self, name: str, request: Callable[[], Result]) -> Result:
        """Run a request that writes.

        Parameters
        ----------
        name, request
            As for `read`.

        Raises
        ------
        WriteError
            If it fails for good, or the server is a web server.
        """
        self.check_writable(self.location / name)
        try:
            return self._run(name, request)
        except FailedRequestError as error:
            if error.failure.kind == "unsupported":
                raise WriteError(f"{self.location / name}: {NO_CREATE}") from None
            raise WriteError(self._message(name, "cannot be written", error)) from None

    def _run(self, name: str, request: Callable[[], Result]) -> Result:
        _ = self.store  # raises here, and not among the errors of requests, if the extra is not installed
        return self._retries.run(str(self.location / name), request)

    def check_writable(self, place: Url) -> None:
        """Refuse to write to a web server."""
        if self.location.scheme in ("http", "https"):
            raise WriteError(
                f"{place}: a web server can only be read from: write to a folder of this machine, or to an "
                "address that begins with s3://, gs:// or az://"
            )

    def _message(self, name: str, what: str, error: FailedRequestError) -> str:
        failure = error.failure
        often = f", {error.tries} times" if error.tries > 1 else ""
        return f"{self.location / name}: {what}: {failure}{often}; {advice(failure, self.location)}"
