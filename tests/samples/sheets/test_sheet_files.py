"""The files of thumbnails: what is damaged, or shows other pixels, counts as missing."""

from pathlib import Path

import pytest

from cellfeat.samples.sheets.files import (
    RECORD,
    Block,
    SheetsRecord,
    block_path,
    named_channels,
    read_block,
    read_record,
    write_block,
    write_record,
)

KEY = "sha256:a"


def record(**changes: object) -> SheetsRecord:
    fields = {"samples": "sha256:s", "n_samples": 130, "failed": [3], "n_measured": 100}
    return SheetsRecord(channels=named_channels(["<b>", 1], [(0, 10), (0.5, 2.25)]), **(fields | changes))


def test_record_is_read_back(tmp_path: Path) -> None:
    write_record(tmp_path, record())
    assert read_record(tmp_path) == record()
    assert (record().n_blocks, record().rows(2)) == (3, range(128, 130))


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"samples": "x"', b"\xff\x00"])
def test_damaged_record_counts_as_missing(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / RECORD).write_bytes(damage)
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("changes", [{"format": 2}, {"side": 32}, {"percentiles": [1.0, 99.0]}])
def test_thumbnails_of_another_version_count_as_missing(tmp_path: Path, changes: dict) -> None:
    write_record(tmp_path, record(**changes))
    assert read_record(tmp_path) is None


def test_block_is_read_back_and_no_image_by_its_name(tmp_path: Path) -> None:
    block = Block(b"one\ntwo", {70: "gone: \udcff"})
    write_block(tmp_path, 1, KEY, block)
    found = read_block(tmp_path, 1, KEY)
    assert found == Block(b"one\ntwo", {70: "gone: ?"})
    assert [path.name for path in tmp_path.iterdir()] == ["thumbnails-1.sheets"]


def test_block_of_other_pixels_or_number_counts_as_missing(tmp_path: Path) -> None:
    write_block(tmp_path, 1, KEY, Block(b"shard"))
    assert read_block(tmp_path, 1, "sha256:b") is None
    block_path(tmp_path, 1).rename(block_path(tmp_path, 2))
    assert read_block(tmp_path, 2, KEY) is None


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    write_block(tmp_path, 0, KEY, Block(b"shard", {1: "gone"}))
    whole = block_path(tmp_path, 0).read_bytes()
    for place in range(len(whole)):
        block_path(tmp_path, 0).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert read_block(tmp_path, 0, KEY) is None, place
        block_path(tmp_path, 0).write_bytes(whole[:place])
        assert read_block(tmp_path, 0, KEY) is None, place


def test_key_depends_on_pixels_and_windows() -> None:
    keys = {record().key(["a", "b"]), record().key(["b", "a"])}
    other = record(n_samples=2)
    object.__setattr__(other, "channels", named_channels([0], [(0, 1)]))
    assert len(keys | {other.key(["a", "b"])}) == 3
