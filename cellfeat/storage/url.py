"""The address of something on an object store or a web server, as a value with the parts of a path."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from cellfeat.errors import ConfigError

SCHEMES = ("s3", "gs", "az", "https", "http", "file")
"""Schemes of the addresses that can be opened."""
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/+(?P<rest>[^/].*|)", re.DOTALL)


@dataclass(frozen=True, order=True)
class Url:
    """An address such as ``s3://bucket/cells/images``. Like a path, it is a plain value: nothing is opened.

    Attributes
    ----------
    scheme
        The part before ``://``, in lower case.
    host
        Bucket, container or server; ``""`` in a ``file`` address.
    path
        What follows the host, without ``/`` at its start or end.
    """

    scheme: str
    host: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "Url":
        """Read an address; one whose ``//`` was shortened to ``/``, as `pathlib.Path` does, is understood, too.

        Raises
        ------
        ConfigError
            If it is no address, its scheme is unknown, or it holds a user name, a password or a key.

        Examples
        --------
        >>> Url.parse("s3:/bucket/cells/")
        Url(scheme='s3', host='bucket', path='cells')
        """
        found = _URL.fullmatch(text)
        scheme = found["scheme"].lower() if found else ""
        if found is None or scheme not in SCHEMES:
            raise ConfigError(
                f"{without_credentials(text)}: expected an address that begins with "
                f"{', '.join(f'{name}://' for name in SCHEMES)}"
            )
        host, _, path = ("", "", found["rest"]) if scheme == "file" else found["rest"].partition("/")
        if "@" in host or "?" in found["rest"]:
            raise ConfigError(
                f"{without_credentials(text)}: holds a user, a password or a key, which would stand in every record; "
                "credentials are taken from the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        if scheme != "file" and not host:
            raise ConfigError(f"{text}: names no bucket or server; expected {scheme}://NAME/…")
        return cls(scheme, host, path.strip("/"))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/{self.path}".rstrip("/") if self.path else f"{self.scheme}://{self.host}"

    def __truediv__(self, name: str | PurePosixPath) -> "Url":
        inner = "/".join(part for part in (self.path, str(name).strip("/")) if part)
        return Url(self.scheme, self.host, inner)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def stem(self) -> str:
        """The last part of the path without its ending."""
        return PurePosixPath(self.path).stem

    @property
    def suffix(self) -> str:
        """The ending of the last part, such as ``.h5``."""
        return PurePosixPath(self.path).suffix

    @property
    def parent(self) -> "Url":
        """The address of the folder."""
        return Url(self.scheme, self.host, self.path.rpartition("/")[0])

    def with_name(self, name: str) -> "Url":
        """Give the address of another file of the same folder."""
        return self.parent / name


Location = Path | Url
"""A path of this machine, or an address."""


def local_path(location: Location) -> Path | None:
    """The path of a location on this machine; None for an address elsewhere.

    Examples
    --------
    >>> local_path(Url.parse("file:///data/cells.h5")).as_posix()
    '/data/cells.h5'
    """
    if isinstance(location, Path):
        return location
    if location.scheme != "file":
        return None
    # As in file:///C:/cells of Windows.
    has_drive = re.match("[A-Za-z]:", location.path) is not None
    return Path(unquote(location.path if has_drive else f"/{location.path}"))


def as_location(value: Any) -> Any:
    """Take text that is an address as a `Url`, other text and ``file://`` as a path, and anything else as it is.

    Raises
    ------
    ConfigError
        As `Url.parse`.
    """
    if isinstance(value, str | Path):
        if not _URL.match(str(value)):
            return Path(value)
        url = Url.parse(str(value))
        return local_path(url) or url
    return value


def resolved(location: Location) -> Location:
    """Give the full form of a location: an absolute path, or the address as it is."""
    return location.resolve() if isinstance(location, Path) else location


def own_name(location: Location) -> str:
    """Give the name of a folder or file; of a whole bucket or server, its own name.

    Examples
    --------
    >>> own_name(Url.parse("s3://lab/screen/images")), own_name(Url.parse("s3://lab"))
    ('images', 'lab')
    """
    full = resolved(location)
    return full.name or (full.host if isinstance(full, Url) else "")


def without_credentials(text: str) -> str:
    """An address as text, without user, password and query."""
    return re.sub(r"//?[^/@]*@", "//…@", text).partition("?")[0]
