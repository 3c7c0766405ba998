"""``cellfeat view`` as a user runs it: in a process of its own where it serves, in this one where it ends by itself."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import write_file, write_folder
from tests.commands.command_line import ROOT, refused, succeed
from tests.page.generated_content import generated_content


@pytest.fixture(scope="module")
def viewed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder of its own, with results that were compared."""
    own = tmp_path_factory.mktemp("viewed")
    shutil.copytree(folder / "images", own / "images")
    shutil.copy(folder / "labels.csv", own)
    (own / "features").mkdir()
    shutil.copy(folder / "features" / "cells.h5", own / "features")
    succeed(own, "compare", "--heads", "knn", "--folds", "3", "--no-page")
    return own


class Running:
    """A server that runs in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line)
            if "Ctrl-C" in line:
                break
        self.address = urlsplit(re.search(r"http://\S+", "".join(self.lines))[0])
        self.cookie = ""
        status, headers, _ = self.ask(f"/?{self.address.query}")
        assert status == 303
        self.cookie = headers["Set-Cookie"].partition(";")[0]

    def ask(self, path: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=30)
        connection.request("GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out + err


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **variables: str) -> Iterator[Running]:
    environment = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"} | variables
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), "view", "--no-browser", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()


def crop_of(answer: bytes) -> np.ndarray:
    length = int.from_bytes(answer[:4], "little")
    header = json.loads(answer[4 : 4 + length])
    return np.frombuffer(answer[4 + length :], header["dtype"]).reshape(header["shape"])


@pytest.mark.slow
def test_results_of_the_folder_are_served_with_thumbnails_and_exact_pixels(viewed: Path) -> None:
    with running(viewed) as server:
        assert any("150 samples" in line for line in server.lines)
        assert server.ask("/")[0] == 200
        assert server.ask("/shards/thumbnails-2.js")[0] == 200
        assert crop_of(server.ask("/crop/149")[2]).shape == (3, 32, 32)
        assert next((viewed / "features" / "cells.view").glob("*/*"))
        # Images that go away while it runs cost their pixels, and nothing else.
        (viewed / "images").rename(viewed / "moved")
        try:
            assert server.ask("/crop/0")[0] == 404
            assert server.ask("/shards/thumbnails-0.js")[0] == 200
        finally:
            (viewed / "moved").rename(viewed / "images")
        assert server.ask("/crop/0")[0] == 200
        code, rest = server.end()
    assert code == 0
    assert "ended" in rest
    assert "Traceback" not in rest


@pytest.mark.slow
def test_image_that_changed_is_not_shown_as_the_one_that_was_embedded(viewed: Path) -> None:
    image, other = (sorted((viewed / "images").iterdir())[place] for place in (0, 3))
    kept = image.read_bytes()
    with running(viewed) as server:
        image.write_bytes(other.read_bytes())
        try:
            status, _, body = server.ask("/crop/0")
        finally:
            image.write_bytes(kept)
    assert status == 404
    assert b"changed" in body


@pytest.mark.slow
def test_ssh_line_names_the_host_and_the_port(viewed: Path) -> None:
    with running(viewed, "--no-images", SSH_CONNECTION="10.0.0.1 5000 10.0.0.2 2222") as server:
        line = next(line for line in server.lines if line.startswith("ssh "))
        port = server.address.port
        assert f"-p 2222 -N -L {port}:127.0.0.1:{port} " in line
        assert line.rstrip().endswith("@10.0.0.2")
        code, rest = server.end(signal.SIGTERM)
    assert code == 143
    assert "Traceback" not in rest


@pytest.mark.slow
def test_feature_file_alone_is_shown_and_images_need_not_be_there(viewed: Path) -> None:
    (viewed / "images").rename(viewed / "moved")
    try:
        with running(viewed, "features/cells.h5") as server:
            assert server.ask("/")[0] == 200
            assert server.ask("/crop/0")[0] == 404
            code, rest = server.end()
    finally:
        (viewed / "moved").rename(viewed / "images")
    assert code == 0
    assert "no exact pixels" in rest


@pytest.mark.slow
def test_page_is_written_with_its_pictures(viewed: Path) -> None:
    done = succeed(viewed, "view", "results/cells", "--output", "given/away.html")
    assert "given/away.html" in done.stdout
    page = (viewed / "given" / "away.html").read_text()
    assert page.count('data-shard="thumbnails-') == 3
    assert "given/page.html" in succeed(viewed, "view", "results/cells", "--output", "given").stdout


@pytest.fixture(scope="module")
def content() -> PageContent:
    return generated_content(150, hostile=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["page.html", "page"])
def test_page_that_was_written_is_served_without_its_code(tmp_path: Path, content: PageContent, name: str) -> None:
    path = tmp_path / name
    write_file(content, path) if path.suffix else write_folder(content, path)
    if path.is_dir():
        (path / "page.js").write_text("alert('foreign code')")
        (path / "secret.txt").write_text("secret")
        (path / "shards" / "link.js").symlink_to(tmp_path / "outside.js")
        (tmp_path / "outside.js").write_text('cellfeatShard("link","c2VjcmV0");\n')
    with running(tmp_path, name) as server:
        assert server.ask("/")[0] == 200
        assert b"foreign code" not in server.ask("/page.js")[2]
        assert server.ask("/shards/column-1.js")[2].startswith(b'cellfeatShard("column-1","')
        assert [server.ask(path)[0] for path in ("/secret.txt", "/shards/link.js", "/crop/0")] == [404, 404, 404]


# Bad inputs


def test_what_is_not_there_is_named(viewed: Path) -> None:
    for name in ("nothing", "nothing.h5", "nothing.html"):
        assert name in refused(viewed, "view", name)


def test_folder_without_results_says_what_is_expected(viewed: Path) -> None:
    assert "comparison.json" in refused(viewed, "view", "images")


def test_folder_above_results_names_them(viewed: Path) -> None:
    assert "results/cells" in refused(viewed, "view", "results")


def test_record_stands_for_its_folder(viewed: Path) -> None:
    succeed(viewed, "view", "results/cells/comparison.json", "--no-images", "--map", "none", "--output", "record.html")
    assert (viewed / "record.html").is_file()


def test_without_anything_to_show_the_argument_is_missing(tmp_path: Path) -> None:
    message = refused(tmp_path, "view", code=2)
    assert "RESULTS" in message
    assert "cellfeat compare" in message


def test_features_of_other_samples_are_refused(viewed: Path, early: Path) -> None:
    other = str(early / "features" / "early.h5")
    assert "results/cells" in refused(viewed, "view", "results/cells", "--features", other)


def test_features_that_are_gone_are_named(viewed: Path) -> None:
    shutil.copytree(viewed / "results" / "cells", viewed / "results" / "orphan")
    record = viewed / "results" / "orphan" / "samples.json"
    record.write_text(record.read_text().replace("features/cells.h5", "features/gone.h5"))
    assert "orphan" in refused(viewed, "view", "results/orphan")


def test_file_that_is_no_feature_file_is_refused(viewed: Path) -> None:
    assert "labels.csv" in refused(viewed, "view", "labels.csv")


@pytest.mark.parametrize(
    ("content_", "noun"),
    [
        ("<html>hello</html>", "not a page"),
        ('<script type="text/plain" data-shard="page">AAAA</script>', "damaged"),
        ('<script type="text/plain" data-shard="page">eyJmb3JtYXQiOjJ9</script>', "format"),
        ('<script type="text/plain" data-shard="page">W10=</script>', "format"),
    ],
)
def test_html_of_others_is_refused(tmp_path: Path, content_: str, noun: str) -> None:
    (tmp_path / "x.html").write_text(content_)
    message = refused(tmp_path, "view", "x.html")
    assert "x.html" in message
    assert noun in message


def test_port_in_use_is_named_with_the_way_out(tmp_path: Path, content: PageContent) -> None:
    write_file(content, tmp_path / "page.html")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        message = refused(tmp_path, "view", "page.html", "--port", port)
    assert port in message
    assert "--port" in message


def test_output_that_cannot_be_written_is_named(tmp_path: Path, content: PageContent) -> None:
    write_file(content, tmp_path / "page.html")
    (tmp_path / "file").write_text("")
    assert "file" in refused(tmp_path, "view", "page.html", "--output", "file/page.html")
