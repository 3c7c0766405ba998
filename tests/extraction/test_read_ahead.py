"""Decoding of samples: in order, and with the files in every error."""

import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellfeat.config import ExtractionSettings
from cellfeat.extraction.read_ahead import Decoded, Decoder, read_ahead
from cellfeat.extraction.timing import Timeline
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.reading.images import SampleReader
from cellfeat.samples.reading.worker_pool import WorkersReader, reading_processes


def test_pixels_outside_the_intensity_policy_are_reported_with_their_files(tmp_path: Path) -> None:
    for channel in "ab":
        tifffile.imwrite(tmp_path / f"1_{channel}.tif", np.full((4, 4), -3, np.int16))
    decoder = Decoder(SampleReader(tmp_path, (("1_a.tif", "1_b.tif"),), ("a", "b"), True), IntensityPolicy(2))
    reason = decoder(0).reason
    assert str(tmp_path / "1_a.tif") in reason
    assert str(tmp_path / "1_b.tif") in reason
    assert "int16 pixels from -3" in reason


@pytest.mark.parametrize("n_threads", [1, 4])
def test_samples_come_in_order_and_no_more_are_read_than_allowed(n_threads: int) -> None:
    begun: list[int] = []

    def decode(row: int) -> Decoded:
        begun.append(row)
        return Decoded(row, None)

    samples = read_ahead(decode, range(100), n_threads=n_threads, ahead=5, timeline=Timeline())
    rows = []
    for sample in samples:
        rows.append(sample.row)
        assert len(begun) <= len(rows) + 5
    assert rows == list(range(100))


def test_no_process_is_started_for_reading_in_place() -> None:
    with reading_processes(ExtractionSettings(workers=0)) as workers:
        assert workers is None


def test_a_negative_number_of_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="workers"):
        ExtractionSettings(workers=-1)


def test_samples_of_one_block_are_read_by_one_thread() -> None:
    threads: dict[int, set[int]] = {}

    def decode(row: int) -> Decoded:
        threads.setdefault(row // 4, set()).add(threading.get_ident())
        return Decoded(row, None)

    found = read_ahead(decode, range(40), n_threads=3, ahead=6, timeline=Timeline(), block_of=lambda row: row // 4)
    assert [sample.row for sample in found] == list(range(40))
    assert all(len(own) == 1 for own in threads.values())


@pytest.mark.slow
def test_rows_that_a_process_reads_at_once_are_decoded_as_alone(tmp_path: Path) -> None:
    files = []
    for row in range(10):
        tifffile.imwrite(tmp_path / f"{row}.tif", np.full((4, 4), row, np.uint8))
        files.append((f"{row}.tif",))
    (tmp_path / "6.tif").write_bytes(b"no image")
    reader = SampleReader(tmp_path, tuple(files), ("grey",), True)
    seen: list[int] = []
    alone = Decoder(reader, IntensityPolicy(1))
    with reading_processes(ExtractionSettings(workers=1)) as workers:
        assert workers is not None
        decoder = Decoder(
            WorkersReader(reader, workers), IntensityPolicy(1), on_sample=lambda one: seen.append(one.row)
        )
        assert [decoder.block(row, most=4) for row in (0, 3, 4, 9)] == [0, 0, 1, 2]
        assert [decoder.block(row, most=0) for row in (0, 3)] == [0, 3]
        found = list(
            read_ahead(
                decoder, range(1, 10), n_threads=2, ahead=8, timeline=Timeline(),
                block_of=partial(decoder.block, most=4), decode_rows=decoder.read_rows,
            )
        )  # fmt: skip
    assert sorted(seen) == [one.row for one in found] == list(range(1, 10))
    assert [(one.digest, one.reason) for one in found] == [
        (alone(row).digest, alone(row).reason) for row in range(1, 10)
    ]
