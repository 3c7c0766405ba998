"""A page that was written as a file or a folder, read back as its content, so that it can be served."""

import base64
import binascii
import html
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cellfeat.errors import MissingFileError, RecordError
from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import INDEX, SHARDS

FORMAT = 1

_EMBEDDED = re.compile(rb'<script type="text/plain" data-shard="([^"]*)">([A-Za-z0-9+/=\s]*)</script>')
_SCRIPT = re.compile(rb'cellfeatShard\("(?:[^"\\]|\\.)*","([A-Za-z0-9+/=]*)"\);\s*')


def is_written_page(path: Path) -> bool:
    """Whether a path looks like a page that was written: an HTML file, or a folder with an index and shards."""
    if path.is_dir():
        return (path / INDEX).is_file() and (path / SHARDS).is_dir()
    return path.suffix.lower() in (".html", ".htm")


def read_written_page(path: Path) -> PageContent:
    """Read a page that was written.

    Only its data is taken. The code of the page is that of this version of cellfeat, whoever sent the file.

    Parameters
    ----------
    path
        The HTML file, or the folder.

    Raises
    ------
    MissingFileError
        If there is no such page.
    RecordError
        If it is not a page as cellfeat writes it.
    """
    if not path.exists():
        raise MissingFileError(f"{path}: there is no such page")
    shards = dict(_in_folder(path) if path.is_dir() else _in_file(path))
    make = shards.pop("page", None)
    if make is None:
        raise RecordError(f"{path}: not a page that cellfeat wrote: it has no data called page; write it again")
    return PageContent(_page(make(), path), shards)


def _page(content: bytes, path: Path) -> dict[str, Any]:
    try:
        page = json.loads(content)
    except ValueError as error:
        raise RecordError(f"{path}: the data of the page is damaged ({error}); write it again") from None
    if not isinstance(page, dict) or page.get("format") != FORMAT or not isinstance(page.get("nSamples"), int):
        found = page.get("format") if isinstance(page, dict) else None
        raise RecordError(f"{path}: a page in format {found!r}; this version of cellfeat shows format {FORMAT}")
    return page | {"title": str(page.get("title", "")), "channels": list(page.get("channels", []))}


def _in_file(path: Path) -> Iterator[tuple[str, partial[bytes]]]:
    for name, content in _EMBEDDED.findall(path.read_bytes()):
        yield html.unescape(name.decode("utf-8", "replace")), partial(_decoded, content, path)


def _in_folder(folder: Path) -> Iterator[tuple[str, partial[bytes]]]:
    # The list is made once: what the server gives cannot depend on the address that it is asked for.
    for path in sorted((folder / SHARDS).glob("*.js")):
        yield unquote(path.stem), partial(_shard, path, folder)


def _shard(path: Path, folder: Path) -> bytes:
    # At each reading: a link may have been put in its place meanwhile.
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RecordError(f"{path}: leads out of the folder of the page, and is not read")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read: {error.strerror or error}") from None
    found = _SCRIPT.fullmatch(content)
    if not found:
        raise RecordError(f"{path}: not a shard that cellfeat wrote, or damaged; write the page again")
    return _decoded(found[1], path)


def _decoded(content: bytes, path: Path) -> bytes:
    try:
        return base64.b64decode(content, validate=False)
    except binascii.Error as error:
        raise RecordError(f"{path}: damaged data ({error}); write the page again") from None
