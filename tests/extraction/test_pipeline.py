"""The pipeline with a device that computes one batch while the next one is read."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.extraction.pipeline import extract_parts
from cellfeat.extraction.read_ahead import Decoded, Decoder
from cellfeat.extraction.store import Rows, Status
from cellfeat.extraction.unfinished_parts import MissingParts
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.reading.images import SampleReader

N_SAMPLES = 11
BAD = 4


class Slow:
    """Returns the mean of each sample, and only on request; counts its unfinished batches."""

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


class Listener:
    """Keeps what it is told, and interrupts the run on request."""

    def __init__(self, interrupt: Callable[["Listener"], bool] = lambda _: False) -> None:
        self.failed: list[int] = []
        self.batches: list[int] = []
        self.kept: list[Rows] = []
        self._interrupt = interrupt

    def on_failure(self, sample: Decoded) -> None:
        self.failed.append(sample.row)
        self._check()

    def on_batch(self, n_samples: int) -> None:
        self.batches.append(n_samples)
        self._check()

    def on_interrupt(self, rows: Rows) -> None:
        self.kept.append(rows)

    def _check(self) -> None:
        if self._interrupt(self):
            raise KeyboardInterrupt


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    for row in range(N_SAMPLES):
        content = imagecodecs.png_encode(np.full((4, 4), 10 * row, np.uint8)) if row != BAD else b"nothing"
        (tmp_path / f"{row}.png").write_bytes(content)
    files = tuple((f"{row}.png",) for row in range(N_SAMPLES))
    return Decoder(SampleReader(tmp_path, files, ("grey",), True), IntensityPolicy(1))


def run(missing: MissingParts, decoder: Decoder, device: Slow, listener: Listener) -> list[Rows]:
    return list(extract_parts(missing, decoder, device, listener, batch_size=2, n_threads=2))


@pytest.mark.parametrize("n_in_work", [0, 1, 2])
def test_every_row_gets_its_own_numbers_however_late_they_come(n_in_work: int, decoder: Decoder) -> None:
    device, listener = Slow(n_in_work), Listener()
    parts = run(MissingParts([range(0, 6), range(6, 11)]), decoder, device, listener)
    embedded = np.concatenate([part.embeddings[:, 0, 0] for part in parts])
    good = [row for row in range(N_SAMPLES) if row != BAD]
    np.testing.assert_array_equal(embedded[good], [10.0 * row for row in good])
    assert np.isnan(embedded[BAD])
    assert [row for part in parts for row in np.flatnonzero(part.status == Status.FAILED) + part.start] == [BAD]
    assert listener.failed == [BAD]
    assert sum(listener.batches) == N_SAMPLES
    assert listener.kept == []
    assert device.most_unfinished == n_in_work + 1
    assert device.unfinished == 0


@pytest.mark.parametrize("n_in_work", [0, 1])
@pytest.mark.parametrize("n_whole", [0, 1, 2])
def test_an_interrupted_part_is_continued_after_its_whole_batches(
    n_whole: int, n_in_work: int, decoder: Decoder
) -> None:
    (whole,) = run(MissingParts([range(0, 6)]), decoder, Slow(n_in_work), Listener())
    # Interrupted after whole batches, or by the bad sample.
    stopped = Listener(lambda told: len(told.batches) == n_whole if n_whole else BAD in told.failed)
    with pytest.raises(KeyboardInterrupt):
        run(MissingParts([range(0, 6)]), decoder, Slow(n_in_work), stopped)
    assert sum(map(len, stopped.kept)) == (2 * n_whole or 4 - 2 * n_in_work)
    begun = MissingParts([range(0, 6)], {rows.start: rows for rows in stopped.kept})
    assert begun.n_samples == 6 - len(stopped.kept[0])
    again_listener = Listener()
    (again,) = run(begun, decoder, Slow(n_in_work), again_listener)
    assert sum(again_listener.batches) == begun.n_samples
    for mine, theirs in zip(again.arrays(), whole.arrays(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert again.failures == whole.failures


def test_an_interrupted_run_reads_no_further_images_while_its_error_is_kept(decoder: Decoder) -> None:
    """As a notebook keeps the last error, with every frame that it passed."""
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt) as kept:
        run(MissingParts([range(N_SAMPLES)]), decoder, Slow(0), Listener(lambda told: len(told.batches) == 1))
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
    assert kept.value.__traceback__ is not None
