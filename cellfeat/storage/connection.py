"""Connect to the server of an address with the library obstore, which is an extra."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cellfeat.errors import ConfigError, MissingExtraError
from cellfeat.storage.failures import CREDENTIALS
from cellfeat.storage.retries import request_timeout
from cellfeat.storage.url import Url

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_RETRIES_OF_PIECES = 5


def connect(url: Url, *, retries_of_pieces: bool = False) -> "ObjectStore":
    """Prepare requests to the server of an address; nothing is sent yet. Credentials come from the environment.

    Parameters
    ----------
    url
        Any address of the server or bucket.
    retries_of_pieces
        Whether the library itself tries again, without telling: for the pieces of a large upload.

    Raises
    ------
    MissingExtraError
        If the extra ``cloud`` is not installed.
    ConfigError
        If variables of the environment do not fit the server.
    """
    store = _library(url)
    # No limit for a whole request, which would end the reading of a large file, but for each wait for some bytes.
    client: ClientConfig = {
        "allow_http": _is_plain_http(url),
        "connect_timeout": timedelta(seconds=min(5.0, request_timeout())),
        "read_timeout": timedelta(seconds=request_timeout()),
        "timeout": timedelta(days=1),
    }
    retries: RetryConfig = {
        "max_retries": _RETRIES_OF_PIECES if retries_of_pieces else 0,
        "retry_timeout": timedelta(minutes=3),
    }
    options: dict[str, Any] = {"client_options": client, "retry_config": retries}
    try:
        if url.scheme == "s3":
            return store.S3Store(url.host, **options)
        if url.scheme == "gs":
            return store.GCSStore(url.host, **options)
        if url.scheme == "az":
            return store.AzureStore(url.host, **options)
        return store.HTTPStore.from_url(f"{url.scheme}://{url.host}", **options)
    except (store_errors(), ValueError, OSError):
        # The library's message may quote a variable's value.
        prefix = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}.get(url.scheme, "HTTP")
        raise ConfigError(
            f"{url}: cannot be opened with this environment: a name, key or file in a variable {prefix}_… is missing "
            f"or malformed; expected {CREDENTIALS.get(url.scheme, 'HTTP_PROXY and HTTPS_PROXY with addresses')}"
        ) from None


def store_errors() -> type[Exception]:
    """The base of the library's errors."""
    from obstore.exceptions import BaseError

    return BaseError


def _library(url: Url) -> Any:
    try:
        import obstore.store
    except ImportError as error:
        raise MissingExtraError(
            f"{url}: addresses need the package {error.name or 'obstore'}; install it with: "
            'pip install "cellfeat[cloud]"'
        ) from error
    return obstore.store


def endpoint_of(url: Url) -> str | None:
    """The endpoint that the environment names for an address; None: the service's own."""
    return next((value for name in _ENDPOINTS.get(url.scheme, ()) if (value := os.environ.get(name))), None)


def _is_plain_http(url: Url) -> bool:
    """Whether requests go over plain HTTP, which the address or the endpoint must say."""
    return url.scheme == "http" or (endpoint_of(url) or "").lower().startswith("http://")
