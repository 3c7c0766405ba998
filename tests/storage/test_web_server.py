"""Files of a plain web server, which has no versions, no parts of files and no listing."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cellfeat.errors import ReadError, WriteError
from cellfeat.storage import downloads
from cellfeat.storage.file_cache import fetched
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Url


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Url]:
    """The address of a folder of `tmp_path`, ``web``."""
    pytest.importorskip("obstore")
    (tmp_path / "web").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "web")))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield Url.parse(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_file_is_read_whole_though_the_server_sends_no_parts(
    web: Url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PIECE", 1000)
    content = bytes(range(256)) * 50
    (tmp_path / "web" / "cells.h5").write_bytes(content)
    storage = open_storage(web)
    assert storage.read("cells.h5") == content
    assert storage.read("none.h5") is None
    storage.download("cells.h5", tmp_path / "cells.h5")
    assert (tmp_path / "cells.h5").read_bytes() == content


def test_escaped_names_are_those_of_the_server(web: Url, tmp_path: Path) -> None:
    (tmp_path / "web" / "plate 1").mkdir()
    (tmp_path / "web" / "plate 1" / "cells#2.h5").write_bytes(b"1")
    assert open_storage(web / "plate%201").read("cells%232.h5") == b"1"


def test_changed_file_is_fetched_again_without_versions(
    web: Url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLFEAT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "web" / "cells.h5").write_bytes(b"first")
    assert fetched(web / "cells.h5", lambda _: None).read_bytes() == b"first"
    (tmp_path / "web" / "cells.h5").write_bytes(b"longer")
    assert fetched(web / "cells.h5", lambda _: None).read_bytes() == b"longer"


def test_nothing_is_written_or_listed(web: Url) -> None:
    storage = open_storage(web)
    for refused in (
        lambda: storage.create("cells.h5", b"1"),
        lambda: storage.replace("cells.h5", b"1"),
        lambda: storage.remove("cells.h5"),
        storage.prepare,
    ):
        with pytest.raises(WriteError, match="only be read from"):
            refused()
    with pytest.raises(ReadError, match="does not list"):
        list(storage.sizes())
