"""The pipeline with a device that works on a batch while the next one is read."""

from collections.abc import Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from cellfeat.extraction.pipeline import Decoded, Decoder, finished_parts
from cellfeat.extraction.store import Rows, Status
from cellfeat.samples.images import SampleReader
from cellfeat.samples.intensity import IntensityPolicy

N_SAMPLES = 11
BAD = 4


class Slow:
    """Gives each sample's own brightness, and only when it is asked for; knows how many batches are unfinished."""

    def __init__(self, n_in_work: int) -> None:
        self.n_in_work = n_in_work
        self.unfinished = self.most_unfinished = 0

    def submit(self, samples: Sequence[Decoded]) -> "Pending":
        self.unfinished += 1
        self.most_unfinished = max(self.unfinished, self.most_unfinished)
        return Pending(self, samples)


class Pending:
    def __init__(self, device: Slow, samples: Sequence[Decoded]) -> None:
        self.device, self.samples = device, samples

    def result(self) -> np.ndarray:
        self.device.unfinished -= 1
        values = [sample.pixels.mean() for sample in self.samples if sample.pixels is not None]
        return np.array(values, np.float32).reshape(-1, 1, 1)


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    for row in range(N_SAMPLES):
        content = imagecodecs.png_encode(np.full((4, 4), 10 * row, np.uint8)) if row != BAD else b"nothing"
        (tmp_path / f"{row}.png").write_bytes(content)
    files = tuple((f"{row}.png",) for row in range(N_SAMPLES))
    return Decoder(SampleReader(tmp_path, files, ("grey",), True), IntensityPolicy(1))


def run(decoder: Decoder, device: Slow) -> tuple[list[Rows], list[int], list[int]]:
    failed: list[int] = []
    batches: list[int] = []
    parts = [range(0, 6), range(6, 11)]
    rows = finished_parts(parts, decoder, device, batch_size=2, workers=2, on_failure=lambda s: failed.append(s.row),
                          on_batch=batches.append, on_break=never, begun={})  # fmt: skip
    return list(rows), failed, batches


def never(rows: Rows) -> None:
    raise AssertionError("nothing was broken off")


def test_pixels_beyond_the_intensity_policy_are_told_with_their_files(tmp_path: Path) -> None:
    for channel in "ab":
        tifffile.imwrite(tmp_path / f"1_{channel}.tif", np.full((4, 4), -3, np.int16))
    decoder = Decoder(SampleReader(tmp_path, (("1_a.tif", "1_b.tif"),), ("a", "b"), True), IntensityPolicy(2))
    assert decoder(0).reason.startswith(f"{tmp_path / '1_a.tif'}, {tmp_path / '1_b.tif'}: has int16 pixels from -3 to")


@pytest.mark.parametrize("n_in_work", [0, 1, 2])
def test_every_row_gets_its_own_numbers_however_late_they_come(n_in_work: int, decoder: Decoder) -> None:
    device = Slow(n_in_work)
    rows, failed, batches = run(decoder, device)
    embedded = np.concatenate([part.embeddings[:, 0, 0] for part in rows])
    good = [row for row in range(N_SAMPLES) if row != BAD]
    np.testing.assert_array_equal(embedded[good], [10.0 * row for row in good])
    assert np.isnan(embedded[BAD])
    assert [row for part in rows for row in np.flatnonzero(part.status == Status.FAILED) + part.start] == [BAD]
    assert failed == [BAD]
    assert sum(batches) == N_SAMPLES
    assert device.most_unfinished == n_in_work + 1
    assert device.unfinished == 0


@pytest.mark.parametrize("n_in_work", [0, 1])
@pytest.mark.parametrize("n_whole", [0, 1, 2])
def test_a_part_that_is_broken_off_is_taken_up_behind_its_whole_batches(
    n_whole: int, n_in_work: int, decoder: Decoder
) -> None:
    whole, _, _ = run(decoder, Slow(n_in_work))
    kept: list[Rows] = []
    n_batches = 0

    def on_batch(n: int) -> None:
        nonlocal n_batches
        n_batches += 1
        if n_batches == n_whole:
            raise KeyboardInterrupt

    def on_failure(sample: Decoded) -> None:
        if not n_whole:
            raise KeyboardInterrupt

    options = {"batch_size": 2, "workers": 2}
    parts = finished_parts([range(0, 6)], decoder, Slow(n_in_work), **options, on_failure=on_failure, on_batch=on_batch,
                           on_break=kept.append, begun={})  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        next(parts)
    n_kept = sum(len(rows.status) for rows in kept)
    assert n_kept == (2 * n_whole or 4 - 2 * n_in_work)
    begun = {rows.start: rows for rows in kept}
    (again,) = finished_parts([range(0, 6)], decoder, Slow(n_in_work), **options, on_failure=lambda _: None,
                              on_batch=lambda _: None, on_break=never, begun=begun)  # fmt: skip
    for mine, theirs in zip(again.arrays(), whole[0].arrays(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert again.samples.failures == whole[0].failures
