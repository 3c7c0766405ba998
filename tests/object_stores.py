"""An object store on this machine: moto's S3, and in front of it a server that fails on purpose.

A ``conftest.py`` imports the fixtures: ``from tests.object_stores import bucket, faulty, s3_server``.
"""

import contextlib
import http.client
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest

ACCESS_KEY, SECRET_KEY = "AKIACELLFEATTEST0001", "cellfeat/secret+key/of/the/tests"
"""Credentials of the tests: nothing that is written may hold them."""
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3, for all tests of a process."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def set_credentials(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Point the environment at a server."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SKIP_SIGNATURE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket, ``s3://lab-…``, with the environment set for it."""
    pytest.importorskip("obstore")
    name = f"lab-{next(_NUMBERS)}"
    urlopen(Request(f"{s3_server}/{name}", method="PUT"))
    set_credentials(monkeypatch, s3_server)
    return f"s3://{name}"


@dataclass
class Fault:
    """What a faulty server does with a request instead of passing it on whole.

    Attributes
    ----------
    status
        Answer this status and this `code`, without passing the request on; 0: pass it on.
    wait
        Seconds before the answer.
    cut
        End the connection after this many bytes of the answer's body; None: send all.
    after
        Pass the request on, and answer `status` nevertheless: the answer is lost.
    code
        The server's own word for what is wrong.
    """

    status: int = 0
    wait: float = 0.0
    cut: int | None = None
    after: bool = False
    code: str = "InternalError"


Plan = Callable[[str, str, int], Fault | None]
"""Gives the fault for a method, a path with its query, and the number of the request from 0; None: pass it on."""


@dataclass
class FaultyServer:
    """A server in front of another one. `plan` says which requests fail.

    Attributes
    ----------
    url
        Its address.
    plan
        The faults; by default none.
    requests
        Method and path of each request.
    drops
        Headers of requests that are not passed on, in lower case.
    """

    url: str
    target: str
    plan: Plan = lambda _method, _path, _number: None
    requests: list[tuple[str, str]] = field(default_factory=list)
    drops: tuple[str, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail_first(self, n_times: int, fault: Fault, *, method: str = "", path: str = "") -> None:
        """Fail the first requests of a method and a part of a path, each method and path counted alone."""
        counts: dict[tuple[str, str], int] = {}

        def plan(found: str, where: str, _number: int) -> Fault | None:
            if (method and found != method) or path not in where:
                return None
            counts[found, where] = counts.get((found, where), 0) + 1
            return fault if counts[found, where] <= n_times else None

        self.plan = plan


def _handler(server: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self._body()
            with server.lock:
                number = len(server.requests)
                server.requests.append((self.command, self.path))
                fault = server.plan(self.command, self.path, number) or Fault()
            time.sleep(fault.wait)
            with contextlib.suppress(OSError):  # the client has gone
                if fault.status and not fault.after:
                    self._refuse(fault)
                    return
                status, headers, content = self._passed_on(body)
                if fault.after:
                    self._refuse(fault)
                    return
                self._send(status, headers, content, fault.cut)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "") == "chunked":
                chunks = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(server.target.removeprefix("http://"), timeout=60)
            names = {"transfer-encoding", "connection", *server.drops}
            headers = {name: value for name, value in self.headers.items() if name.lower() not in names}
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, answer.getheaders(), content

        def _send(self, status: int, headers: list[tuple[str, str]], content: bytes, cut: int | None) -> None:
            self.send_response_only(status)
            length = {name.lower(): value for name, value in headers}.get("content-length", len(content))
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length if self.command == "HEAD" else len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            self.wfile.write(content[:cut])
            if cut is not None and cut < len(content):
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def _refuse(self, fault: Fault) -> None:
            text = f"<Error><Code>{fault.code}</Code><Message>on purpose</Message></Error>".encode()
            self.send_response_only(fault.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def faulty_server(target: str) -> Iterator[FaultyServer]:
    """Run a faulty server in front of another one."""
    server = FaultyServer("", target)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    listening.daemon_threads = True
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def faulty(s3_server: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A faulty server in front of the object store, to which the environment points."""
    with faulty_server(s3_server) as server:
        set_credentials(monkeypatch, server.url)
        yield server
