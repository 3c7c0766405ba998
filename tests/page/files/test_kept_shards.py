import os

import pytest

from cellfeat.page.files.forms import shard_script
from cellfeat.page.files.kept_shards import KeptShard


def shard(folder, content=b"sheet"):
    return KeptShard(lambda: content, folder / "kept" / "0-abc.js")


def test_pages_share_one_file(tmp_path):
    kept = shard(tmp_path)
    for page in ("one", "two"):
        kept.put(tmp_path / page / "thumbnails-0.js", "thumbnails-0", shard_script)
    assert (tmp_path / "one" / "thumbnails-0.js").samefile(tmp_path / "two" / "thumbnails-0.js")
    assert (tmp_path / "one" / "thumbnails-0.js").read_bytes() == shard_script("thumbnails-0", b"sheet")


def test_earlier_picture_is_replaced_and_stays_in_other_pages(tmp_path):
    path, other = tmp_path / "one" / "thumbnails-0.js", tmp_path / "two" / "thumbnails-0.js"
    for target in (path, other):
        shard(tmp_path).put(target, "thumbnails-0", shard_script)
    new = KeptShard(lambda: b"newer", tmp_path / "kept" / "0-def.js")
    new.put(path, "thumbnails-0", shard_script)
    assert path.read_bytes() == shard_script("thumbnails-0", b"newer")
    assert other.read_bytes() == shard_script("thumbnails-0", b"sheet")


def test_disk_without_links_gets_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    shard(tmp_path).put(tmp_path / "page" / "thumbnails-0.js", "thumbnails-0", shard_script)
    assert (tmp_path / "page" / "thumbnails-0.js").read_bytes() == shard_script("thumbnails-0", b"sheet")


def test_folder_that_cannot_be_written_costs_no_page(tmp_path):
    (tmp_path / "kept").write_text("a file in the way")
    shard(tmp_path).put(tmp_path / "page" / "thumbnails-0.js", "thumbnails-0", shard_script)
    assert (tmp_path / "page" / "thumbnails-0.js").read_bytes() == shard_script("thumbnails-0", b"sheet")


@pytest.mark.parametrize("times", [1, 2])
def test_shard_is_made_once(tmp_path, times):
    made = []
    kept = KeptShard(lambda: made.append(1) or b"sheet", tmp_path / "kept" / "0-abc.js")
    for _ in range(times):
        kept.put(tmp_path / "page" / "thumbnails-0.js", "thumbnails-0", shard_script)
    assert made == [1]
