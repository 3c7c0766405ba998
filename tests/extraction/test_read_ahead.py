"""Decoding of samples: in order, and with the files in every error."""

import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellfeat.config import ExtractionSettings
from cellfeat.extraction.read_ahead import Decoded, Decoder, read_ahead
from cellfeat.extraction.timing import Timeline
from cellfeat.samples.images import SampleReader
from cellfeat.samples.intensity import IntensityPolicy
from cellfeat.samples.worker_pool import reading_processes


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
