import json
from pathlib import Path

import pytest

from cellfeat.errors import CellfeatError, MissingFileError, RecordError
from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import write_file, write_folder
from cellfeat.page.files.written import is_written_page, read_written_page
from cellfeat.page.serving.server import ServedPage
from tests.page.generated_content import generated_content


@pytest.fixture(scope="module")
def content() -> PageContent:
    return generated_content(150, hostile=True)


@pytest.fixture(params=["page.html", "page"])
def path(request: pytest.FixtureRequest, tmp_path: Path, content: PageContent) -> Path:
    path = tmp_path / request.param
    write_file(content, path) if path.suffix else write_folder(content, path)
    return path


def test_written_page_is_read_back_whole(path: Path, content: PageContent) -> None:
    assert is_written_page(path)
    found = read_written_page(path)
    assert found.page == json.loads(json.dumps(content.page))
    assert {name: make() for name, make in found.shards.items()} == {
        name: make() for name, make in content.shards.items()
    }


def test_only_its_data_is_taken(tmp_path: Path, content: PageContent) -> None:
    write_folder(content, tmp_path)
    (tmp_path / "page.js").write_text("alert('foreign code')")
    (tmp_path / "secret.txt").write_text("secret")
    served = ServedPage(read_written_page(tmp_path))
    assert b"foreign code" not in served.find("/page.js").content
    assert served.find("/secret.txt").status == 404


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path, content: PageContent) -> None:
    folder = tmp_path / "page"
    write_folder(content, folder)
    outside = tmp_path / "outside.js"
    outside.write_text('cellfeatShard("link","c2VjcmV0");\n')
    (folder / "shards" / "link.js").symlink_to(outside)
    served = ServedPage(read_written_page(folder))
    # Also a link that replaces a shard while the page is served.
    (folder / "shards" / "column-1.js").unlink()
    (folder / "shards" / "column-1.js").symlink_to(outside)
    for name in ("link", "column-1"):
        with pytest.raises(RecordError, match="leads out"):
            served.find(f"/shards/{name}.js")


def test_shard_that_is_gone_or_damaged_is_named(tmp_path: Path, content: PageContent) -> None:
    write_folder(content, tmp_path)
    found = read_written_page(tmp_path)
    (tmp_path / "shards" / "column-1.js").write_text("alert(1)")
    (tmp_path / "shards" / "column-2.js").unlink()
    for name, error in (("column-1", RecordError), ("column-2", MissingFileError)):
        with pytest.raises(error, match=name):
            found.shards[name]()


@pytest.mark.parametrize("text", ["", "<html>", '<script type="text/plain" data-shard="page">AAAA</script>', '<script type="text/plain" data-shard="page">eyJmb3JtYXQiOjJ9</script>', '<script type="text/plain" data-shard="page">W10=</script>'])  # fmt: skip # noqa: E501
def test_html_of_others_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.html").write_text(text)
    with pytest.raises(CellfeatError, match=r"x\.html"):
        read_written_page(tmp_path / "x.html")
