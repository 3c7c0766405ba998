"""The server of a page, by real connections: who may read, what there is to read, and readers that misbehave."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import ConfigError, FingerprintError
from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import shard_script, static
from cellfeat.page.serving import server as server_module
from cellfeat.page.serving.server import PageServer, ServedPage, server_at_usual_port, usual_port
from tests.page.generated_content import generated_content

N = 200


@pytest.fixture(scope="module")
def content() -> PageContent:
    return generated_content(N, hostile=True)


@contextmanager
def serving(page: ServedPage) -> Iterator[PageServer]:
    with PageServer(page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def pixels_of(row: int) -> np.ndarray:
    if row == 7:
        raise FingerprintError("images: the image of sample 'cell_7' has changed")
    if row == 8:
        raise ValueError("a bug")
    return np.arange(3 * 5 * 4, dtype=">u2").reshape(3, 5, 4) + row


@pytest.fixture(scope="module")
def server(content: PageContent) -> Iterator[PageServer]:
    with serving(ServedPage(content, pixels_of)) as server:
        yield server


def ask(server: PageServer, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Send exactly this path; the cookie and the host are right unless other ones are given."""
    port = server.server_address[1]
    given = {"Host": f"127.0.0.1:{port}", "Cookie": server.access.cookie().partition(";")[0]} | headers
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in given.items():
        if value:
            connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


# Who may read


def test_token_gives_the_cookie_and_leads_away_from_its_address(server: PageServer) -> None:
    status, headers, body = ask(server, f"/?token={server.access.token}", Cookie="")
    assert (status, headers["Location"], body) == (303, "/", b"")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(headers["Set-Cookie"].split("; "))
    assert f"cellfeat-{server.server_address[1]}=" in headers["Set-Cookie"]
    assert len(server.access.token) >= 43


@pytest.mark.parametrize("path", ["/", "/page.js", "/shards/page.js", "/crop/0", "/nothing"])
@pytest.mark.parametrize("cookie", ["", "cellfeat-1=x", "cellfeat-{port}=wrong", 'cellfeat-{port}="', "=;,\x7f"])
def test_nothing_without_the_cookie(server: PageServer, path: str, cookie: str) -> None:
    status, headers, body = ask(server, path, Cookie=cookie.format(port=server.server_address[1]))
    assert (status, body[:3]) == (403, b"403")
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("query", ["token=", "token=wrong", "token=%s&token=%s", "Token=%s", "x=%s", "token=%ff"])
def test_wrong_token_is_refused(server: PageServer, query: str) -> None:
    query = query.replace("%s", server.access.token) if "&" in query or not query.startswith("token=%s") else query
    assert ask(server, f"/?{query}", Cookie="")[0] == 403


def test_token_opens_nothing_but_the_first_address(server: PageServer) -> None:
    assert ask(server, f"/shards/page.js?token={server.access.token}", Cookie="")[0] == 403


@pytest.mark.parametrize("host", ["", "evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "127.0.0.1:{port}.evil.example", "127.0.0.2:{port}"])  # fmt: skip # noqa: E501
def test_foreign_name_bound_to_this_machine_is_refused(server: PageServer, host: str) -> None:
    host = host.format(port=server.server_address[1])
    assert ask(server, "/", Host=host)[0] == 403
    assert ask(server, f"/?token={server.access.token}", Host=host)[0] == 403


def test_localhost_is_this_machine(server: PageServer) -> None:
    assert ask(server, "/", Host=f"localhost:{server.server_address[1]}")[0] == 200


def test_ticket_opens_once(server: PageServer) -> None:
    path = server.access.ticket_address().partition(str(server.server_address[1]))[2]
    assert server.access.token not in path
    assert [ask(server, path, Cookie="")[0] for _ in range(2)] == [303, 403]
    assert ask(server, path)[0] == 200, "a reader with the cookie is let in anyway"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_a_page_is_only_read(server: PageServer, method: str) -> None:
    for cookie in ({}, {"Cookie": ""}):
        status, headers, _ = ask(server, "/", method=method, **cookie)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_server_listens_on_loopback_alone(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_cookies_of_two_servers_do_not_clash(server: PageServer, content: PageContent) -> None:
    with serving(ServedPage(content)) as other:
        both = "; ".join(one.access.cookie().partition(";")[0] for one in (server, other))
        assert [ask(one, "/", Cookie=both)[0] for one in (server, other)] == [200, 200]
        assert ask(other, "/", Cookie=server.access.cookie().partition(";")[0])[0] == 403


# What there is to read


def test_index_and_bundle(server: PageServer) -> None:
    status, headers, body = ask(server, "/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"</script><script>document.title" not in body
    assert b'<script src="page.js">' in body
    assert ask(server, "/page.js")[2] == static("page.js")
    assert ask(server, "/page.css")[1]["Content-Type"].startswith("text/css")


def test_headers_forbid_what_a_page_does_not_need(server: PageServer) -> None:
    for path in ("/", "/page.js", "/nothing"):
        headers = ask(server, path)[1]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "'unsafe-inline'" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"].startswith("private")
        assert "Python" not in headers["Server"]


def test_shards_are_made_when_asked_for(content: PageContent) -> None:
    made = []

    def maker(name: str):
        return lambda: made.append(name) or b"x" * 10

    names = ["plain", "a b/ü"]
    with serving(ServedPage(replace(content, shards={name: maker(name) for name in names}))) as server:
        assert made == []
        assert ask(server, "/shards/plain.js")[2] == shard_script("plain", b"x" * 10)
        assert ask(server, "/shards/a%20b%2F%C3%BC.js")[2] == shard_script("a b/ü", b"x" * 10)
        ask(server, "/shards/plain.js")
        assert made == names


def test_page_itself_is_a_shard(server: PageServer) -> None:
    assert ask(server, "/shards/page.js")[2].startswith(b'cellfeatShard("page","')


def test_crop_holds_exact_values_aligned_for_the_browser(server: PageServer) -> None:
    status, headers, body = ask(server, "/crop/3")
    length = int.from_bytes(body[:4], "little")
    header = json.loads(body[4 : 4 + length])
    assert (status, headers["Content-Type"]) == (200, "application/octet-stream")
    assert (4 + length) % 16 == 0
    assert header == {"dtype": "uint16", "shape": [3, 5, 4], "channels": ["nucleus", "microtubules", "er"]}
    assert np.frombuffer(body[4 + length :], "<u2").tolist() == pixels_of(3).ravel().tolist()


@pytest.mark.parametrize(
    "path", [f"/crop/{N}", "/crop/-1", "/crop/1.0", "/crop/", "/crop/%D9%A3", "/crop/1e1", "/crop/1" * 20]
)
def test_there_are_no_other_crops(server: PageServer, path: str) -> None:
    assert ask(server, path)[0] == 404


def test_changed_image_is_named_and_a_bug_costs_one_answer(server: PageServer, capsys) -> None:
    status, _, body = ask(server, "/crop/7")
    assert status == 404
    assert b"cell_7" in body
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server, "/crop/8")
    assert "a bug" in capsys.readouterr().err
    assert ask(server, "/crop/9")[0] == 200


OUTSIDE = [
    "/../serving.py", "/%2e%2e/serving.py", "/..%2fserving.py", "/%2e%2e%2fserving.py", "/shards/../../serving.py",
    "/shards/%2e%2e/page.js.js", "/shards/..%2f..%2fserving.py", "/shards/..%5c..%5cserving.js", "/..\\serving.py",
    "/shards/%252e%252e%252fpage.js", "//etc/passwd", "///etc/passwd", "/etc/passwd", "/shards//etc/passwd.js",
    "/shards/%2Fetc%2Fpasswd.js", "/./page.js", "/shards/./page.js", "/page.js/", "/page.js/../page.js", "/shards/",
    "/shards", "/static/page.js", "/page.js%00", "/shards/page.js%00.js", "/PAGE.JS", "/page.js;x", "/%70age.js",
    "/crop/../page.js", "http://127.0.0.1/../etc/passwd", "*", "/C:/Windows/win.ini", "/shards/....//....//page.js",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_can_be_reached(server: PageServer, path: str) -> None:
    status, _, body = ask(server, path)
    assert status == 404, body[:100]


def test_head_sends_the_same_headers_and_no_body(server: PageServer) -> None:
    for path in ("/", "/shards/page.js", "/crop/1", "/nothing"):
        got, head = ask(server, path), ask(server, path, method="HEAD")
        assert (head[0], head[1]["Content-Length"], head[2]) == (got[0], str(len(got[2])), b"")


# Many readers, and readers that misbehave


def test_hundred_readers_at_once_get_whole_answers(content: PageContent) -> None:
    n_made = []

    def slow() -> bytes:
        n_made.append(1)
        time.sleep(0.1)
        return bytes(200_000)

    page = ServedPage(replace(content, shards={**content.shards, "slow": slow}), pixels_of)
    start = threading.Barrier(100)

    def read(number: int) -> bool:
        start.wait()
        path = ("/shards/slow.js", "/", f"/crop/{10 + number}", "/shards/thumbnails-0.js")[number % 4]
        status, headers, body = ask(server, path)
        return status == 200 and len(body) == int(headers["Content-Length"])

    with serving(page) as server, ThreadPoolExecutor(100) as pool:
        assert all(pool.map(read, range(100)))
    assert len(n_made) == 1


def test_reader_that_leaves_or_stops_does_not_hold_up_others(content: PageContent) -> None:
    page = ServedPage(replace(content, shards={"large": lambda: bytes(20_000_000)}))
    with serving(page) as server:
        request = (
            f"GET /shards/large.js HTTP/1.1\r\nHost: 127.0.0.1:{server.server_address[1]}\r\n"
            f"Cookie: {server.access.cookie().partition(';')[0]}\r\n\r\n"
        ).encode()
        readers = [socket.create_connection(server.server_address[:2], timeout=10) for _ in range(4)]
        for reader in readers:
            reader.sendall(request)
            reader.recv(1000)
        readers[0].close()  # leaves in the middle; the others stop reading
        silent = socket.create_connection(server.server_address[:2], timeout=10)
        silent.sendall(b"GET / HT")  # never ends its request
        assert ask(server, "/")[0] == 200
        began = time.monotonic()
    assert time.monotonic() - began < 2, "the server ends although readers are in the middle"
    for reader in (*readers, silent):
        reader.close()


def test_slow_reader_gets_everything(content: PageContent) -> None:
    page = ServedPage(replace(content, shards={"large": lambda: bytes(2_000_000)}))
    with serving(page) as server, socket.create_connection(server.server_address[:2], timeout=10) as reader:
        reader.sendall(
            f"GET /shards/large.js HTTP/1.1\r\nHost: 127.0.0.1:{server.server_address[1]}\r\nConnection: close\r\n"
            f"Cookie: {server.access.cookie().partition(';')[0]}\r\n\r\n".encode()
        )
        received = b""
        while piece := reader.recv(200_000):
            received += piece
            time.sleep(0.02)
    body = received.partition(b"\r\n\r\n")[2]
    assert body == shard_script("large", bytes(2_000_000))


@pytest.mark.parametrize("request_", [b"\x16\x03\x01\x02\x00\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n"])  # fmt: skip # noqa: E501
def test_what_is_no_request_is_refused(server: PageServer, request_: bytes) -> None:
    with socket.create_connection(server.server_address[:2], timeout=10) as reader:
        reader.sendall(request_)
        answer = reader.recv(10_000)
    assert b"200" not in answer.split(b"\r\n")[0]
    assert ask(server, "/")[0] == 200


def test_connections_are_limited_and_freed_again(content: PageContent, monkeypatch) -> None:
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS", 3)
    with serving(ServedPage(content)) as server:
        open_ones = [socket.create_connection(server.server_address[:2], timeout=10) for _ in range(3)]
        for one in open_ones:
            one.sendall(b"GET / HT")
        time.sleep(0.1)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(server, "/")
        for one in open_ones:
            one.close()
        time.sleep(0.2)
        assert ask(server, "/")[0] == 200


def test_port_in_use_is_named(server: PageServer, content: PageContent) -> None:
    with pytest.raises(ConfigError, match=str(server.server_address[1])):
        PageServer(ServedPage(content), server.server_address[1])


def test_same_samples_have_the_same_port_unless_it_is_taken(content: PageContent) -> None:
    page = ServedPage(content)
    with server_at_usual_port(page) as first, server_at_usual_port(page) as second:
        assert first.server_address[1] == usual_port(page.digest)
        assert second.server_address[1] != first.server_address[1]
    with server_at_usual_port(page) as again:
        assert again.server_address[1] == usual_port(page.digest)
