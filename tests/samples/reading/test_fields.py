"""Fields are decoded once, whatever threads and processes read, and a bad one fails its own cells only."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading import fields
from cellfeat.samples.reading.fields import FieldJob, FieldsReader, read_here
from cellfeat.samples.reading.images import Outcome
from cellfeat.samples.reading.worker_pool import Workers, sample_reader
from tests.samples.fields.field_files import manifest, write_fields


@pytest.fixture
def crops(tmp_path: Path) -> Manifest:
    write_fields(tmp_path)
    masks = {"images__fields__masks_root": tmp_path / "masks", "images__fields__mask": "zero_outside"}
    return manifest(tmp_path, **masks)


def counted(crops: Manifest) -> tuple[FieldsReader, list[str]]:
    decoded: list[str] = []

    def read(job: FieldJob) -> list[Outcome]:
        decoded.append(job.source.where(0))
        return read_here(job)

    return FieldsReader(crops, max_pixels=10**6, read=read), decoded


@pytest.mark.parametrize("n_threads", [1, 4])
def test_each_field_is_decoded_once(n_threads: int, crops: Manifest) -> None:
    reader, decoded = counted(crops)
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(reader.read, range(len(crops))))
    assert len(decoded) == len(set(decoded)) == 4


def test_few_fields_are_kept(crops: Manifest) -> None:
    reader, _ = counted(crops)
    for row in range(len(crops)):
        reader.read(row)
        assert len(reader._cache._entries) <= 2


def test_field_of_many_crops_is_read_in_blocks(crops: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = counted(crops)
    monkeypatch.setattr(fields, "BLOCK_VALUES", 2 * 9 * 9 * 3)
    reader, decoded = counted(crops)
    for row in range(len(crops)):
        np.testing.assert_array_equal(reader.read(row), whole.read(row))
    assert len(decoded) == 8


@pytest.mark.slow
def test_processes_return_the_same_crops(crops: Manifest) -> None:
    here = sample_reader(crops, None, max_pixels=10**6)
    with Workers() as workers:
        there = sample_reader(crops, workers, max_pixels=10**6)
        for row in (0, 1, 5, 15):
            one, other = here.read_sample(row), there.read_sample(row)
            np.testing.assert_array_equal(one.pixels, other.pixels)
            assert one[1:] == other[1:]


def test_bad_field_fails_its_own_cells(crops: Manifest) -> None:
    crops.files(4)[1].write_bytes(b"nothing")
    crops.files(8)[0].unlink()
    (crops.crops.masks_root / "P2" / "B02_s1_cp_masks.tif").write_bytes(b"II*\0")
    with Workers() as workers:
        for reader in (sample_reader(crops, None, max_pixels=10**6), sample_reader(crops, workers, max_pixels=10**6)):
            assert reader.read(3).shape == (2, 9, 9)
            for row, error, name in (
                (4, ImageError, "B02_s1_ER"),
                (8, MissingFileError, "P2/A01_s1_DNA"),
                (12, ImageError, "cp_masks"),
            ):
                for cell in range(row, row + 4):
                    with pytest.raises(error, match=name):
                        reader.read(cell)


@pytest.mark.skipif(os.name == "nt", reason="the crash is a signal")
@pytest.mark.slow
def test_crash_of_the_decoder_loses_one_field(crops: Manifest) -> None:
    large = np.random.default_rng(0).integers(0, 60_000, (3000, 3000), np.uint16)
    for path in crops.files(4):
        path.write_bytes(imagecodecs.png_encode(large))
    with Workers() as workers, ThreadPoolExecutor(1) as pool:
        reader = sample_reader(crops, workers, max_pixels=10**8)
        assert reader.read(0).shape == (2, 9, 9)
        future = pool.submit(reader.read, 4)
        (worker,) = workers._all
        while worker._noted()[0] != 1 and not future.done():
            time.sleep(0.001)
        os.kill(worker._process.pid, signal.SIGSEGV)
        assert isinstance(future.exception(100), ImageError)
        for row in (4, 5, 7):
            with pytest.raises(ImageError, match=r"B02_s1_ER\.png.*SIGSEGV"):
                reader.read(row)
        assert reader.read(8).shape == (2, 9, 9)
