"""Serve a page to the browsers of this machine, straight from its content: no file is read by its address.

Every answer comes from a table of what there is: the index, the bundle, the shards and the crops. A path that is not in
it is not found, whatever it looks like, so that nothing outside can be reached.
"""

import re
import sys
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from numpy.typing import NDArray

from cellfeat.errors import CellfeatError, ConfigError
from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import FOLDER_POLICY, SHARDS, STATIC, all_shards, index_page, static
from cellfeat.page.serving.access import Access
from cellfeat.page.serving.crops import crop_bytes
from cellfeat.page.serving.made_shards import MadeShards
from cellfeat.text import clean_lines

HOST = "127.0.0.1"
FIRST_FREE_PORT = 49_152
IDLE_SECONDS = 60
"""After that long without a byte read or written, a connection is closed."""
MOST_CONNECTIONS = 1000
"""Open connections: each has a thread, and any user of the machine can open some."""

PIECE = 2**18
"""Bytes that are written at once."""

_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "txt": "text/plain; charset=utf-8"}
_SHARD = re.compile(rf"/{SHARDS}/(.+)\.js", re.DOTALL)
_CROP = re.compile(r"/crop/(\d{1,12})", re.ASCII)
_HEADERS = {
    "Content-Security-Policy": f"{FOLDER_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_NO_ACCESS = (
    "403: not without its token.\nOpen the address that `cellfeat view` printed, on this machine and with this port. "
    "If you came here by a link, reload this page.\n"
)

Crop = Callable[[int], NDArray]
"""Reads the pixels of the sample of a row: shape ``(C, H, W)``."""


@dataclass(frozen=True)
class Answer:
    """What is sent for a path.

    Attributes
    ----------
    content
        The bytes.
    type
        Their media type.
    status
        Whether it was found.
    """

    content: bytes
    type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


class ServedPage:
    """What there is to read of a page, by path.

    Parameters
    ----------
    content
        The page.
    crop
        Reads the exact pixels of a sample; None: there are none.
    """

    def __init__(self, content: PageContent, crop: Crop | None = None) -> None:
        self._content, self._crop = content, crop
        self._shards = MadeShards(all_shards(content))

    @property
    def digest(self) -> str:
        """Digest of the samples."""
        return str(self._content.page["digest"])

    @cached_property
    def _fixed(self) -> dict[str, Answer]:
        bundle = {f"/{name}": Answer(static(name), _TYPES[name.rpartition(".")[2]]) for name in STATIC}
        index = Answer(index_page(self._content), "text/html; charset=utf-8")
        # Browsers ask for an icon, and show an error where there is none.
        return {"/": index, "/favicon.ico": Answer(b"", "image/x-icon"), **bundle}

    def find(self, path: str) -> Answer:
        """Give what a path names.

        Parameters
        ----------
        path
            The path of an address, without its query, as it was sent.
        """
        if path in self._fixed:
            return self._fixed[path]
        if found := _SHARD.fullmatch(path):
            return self._shard(unquote(found[1]))
        if found := _CROP.fullmatch(path):
            return self._crop_of(int(found[1]))
        return _not_found("there is nothing here")

    def _shard(self, name: str) -> Answer:
        script = self._shards.script(name)
        return _not_found("there is no such shard") if script is None else Answer(script, _TYPES["js"])

    def _crop_of(self, row: int) -> Answer:
        page = self._content.page
        if self._crop is None or row >= page["nSamples"]:
            return _not_found("there is no such image")
        pixels = self._crop(row)
        names = [str(channel["name"]) for channel in page["channels"]]
        return Answer(crop_bytes(pixels, names), "application/octet-stream")


def _not_found(why: str) -> Answer:
    return Answer(f"404: {why}\n".encode("utf-8", "replace"), status=HTTPStatus.NOT_FOUND)


class PageServer(ThreadingHTTPServer):
    """Serves a page on this machine, a thread for each reader.

    Parameters
    ----------
    page
        What there is to read.
    port
        The port; 0 for any free one.

    Raises
    ------
    ConfigError
        If the port is in use.

    Examples
    --------
    >>> with PageServer(ServedPage(content)) as server:  # doctest: +SKIP
    ...     print(server.access.address)
    ...     server.serve_forever()
    """

    # The program can end while a reader is slow; a page asks for many shards at once.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = sys.platform != "win32"  # there it would share a port that is in use

    def __init__(self, page: ServedPage, port: int = 0) -> None:
        self.page = page
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"port {port} of {HOST} cannot be used: {error.strerror or error}; choose another with --port, "
                "or leave it out"
            ) from None
        self.access = Access(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a reader a thread, or end the connection where too many are open.

        Parameters
        ----------
        request, client_address
            The connection.
        """
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a reader in a thread of its own.

        Parameters
        ----------
        request, client_address
            The connection.
        """
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002, the signature of socketserver
        """Drop a reader that went away; print anything else. The server goes on.

        Parameters
        ----------
        request, client_address
            The connection.
        """
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"view: {clean_lines(repr(error))}", file=sys.stderr)  # noqa: T201


def server_at_usual_port(page: ServedPage) -> PageServer:
    """Serve a page at the port that its samples have each time, or at any free one where that is taken.

    A browser keeps judgements by the address of a page, and the port is part of it.
    """
    try:
        return PageServer(page, usual_port(page.digest))
    except ConfigError:
        return PageServer(page)


def usual_port(digest: str) -> int:
    """Give the port of samples: one of 49152 to 65535, which no service has for itself (RFC 6335).

    Examples
    --------
    >>> usual_port("sha256:ab") == usual_port("sha256:ab")
    True
    """
    return FIRST_FREE_PORT + zlib.crc32(digest.encode()) % (2**16 - FIRST_FREE_PORT)


class _Handler(BaseHTTPRequestHandler):
    """Answers one reader."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "cellfeat", ""
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        """Send what the path names."""
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        """Send the headers of what the path names."""
        self._answer(has_body=False)

    def _answer(self, *, has_body: bool) -> None:
        access, address = self.server.access, urlsplit(self.path)
        if not access.is_host(self.headers.get("Host")):
            self._send(Answer(_NO_ACCESS.encode(), status=HTTPStatus.FORBIDDEN), has_body=has_body)
        elif address.path == "/" and self._has_token(address.query):
            # Away from the address with the token, which should stay in no history.
            self._send(
                Answer(b"", status=HTTPStatus.SEE_OTHER),
                {"Location": "/", "Set-Cookie": access.cookie()},
                has_body=has_body,
            )
        elif self._may_read():
            self._send(self._found(address.path), has_body=has_body)
        else:
            self._send(Answer(_NO_ACCESS.encode(), status=HTTPStatus.FORBIDDEN), has_body=has_body)

    def _has_token(self, query: str) -> bool:
        given = parse_qs(query).get("token", [])
        return len(given) == 1 and self.server.access.is_token(given[0])

    def _may_read(self) -> bool:
        access = self.server.access
        return access.is_host(self.headers.get("Host")) and access.has_cookie(self.headers.get("Cookie"))

    def _found(self, path: str) -> Answer:
        try:
            return self.server.page.find(path)
        except (CellfeatError, OSError) as error:
            # An image that was moved, say: the reader is told, and the server goes on.
            return _not_found(str(error))

    def _send(self, answer: Answer, headers: dict[str, str] | None = None, *, has_body: bool = True) -> None:
        self.send_response(answer.status)
        for name, value in {**_HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if not has_body:
            return
        for start in range(0, len(answer.content), PIECE):
            # The time limit is for one call: a slow reader of a large shard gets it for each piece.
            self.wfile.write(answer.content[start : start + PIECE])

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a request that is no HTTP, or of an unknown method, in plain text.

        Parameters
        ----------
        code
            Status.
        message, explain
            Unused: they repeat what the reader sent.
        """
        self.close_connection = True
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        headers = {"Connection": "close", "Allow": "GET, HEAD"}
        self._send(Answer(f"{status}: a page is only read\n".encode(), status=status), headers)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the signature of http.server
        """Print nothing: addresses may hold the token."""
