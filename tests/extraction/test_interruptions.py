"""Extractions that are ended, or whose readers are, by real signals: what is kept, and what the next run makes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from cellfeat.config import Settings
from cellfeat.errors import ImageError, WorkerError
from cellfeat.extraction import extract as extract_module
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features, parts_folder, verify_features
from cellfeat.samples import worker as worker_module
from cellfeat.samples.workers import Workers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults are signals")
ROOT = Path(__file__).parents[2]
MakeSettings = Callable[..., Settings]
N_SAMPLES = 24


class Disturbed:
    """Does something once as many samples are done; keeps what is said."""

    def __init__(self, after: int, disturb: Callable[[], None]) -> None:
        self.after: int | None = after
        self.disturb = disturb
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, n_done: int, n_samples: int) -> None:
        if self.after is not None and n_done >= self.after:
            self.after = None
            self.disturb()


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def contents(path: Path) -> dict[str, Any]:
    """Every data set: numbers as their bytes, which tell NaN from nothing, and text as it is."""
    found: dict[str, Any] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[:].tobytes() if item.dtype.kind in "fui" else item[:].tolist()

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def begun(settings: Settings) -> list[Path]:
    return list(parts_folder(settings.extraction.output).glob("begun-*.h5"))


def copy_images(cells: Path, folder: Path) -> Path:
    images = folder / "images"
    images.mkdir()
    for path in (cells / "images").iterdir():
        (images / path.name).write_bytes(path.read_bytes())
    return images


@pytest.mark.parametrize("after", [4, 8, 20, 24])
def test_after_ctrl_c_the_batches_that_were_done_are_kept(
    after: int, settings_for: MakeSettings, tmp_path: Path
) -> None:
    undisturbed = extract(settings_for(extraction__output=tmp_path / "undisturbed.h5", extraction__part_size=16)).path
    settings = settings_for(extraction__part_size=16)
    disturbed = Disturbed(after, press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        extract(settings, observer=disturbed)
    assert disturbed.lines[-1] == f"{after} of 24 samples are done, and kept"
    resumed = extract(settings)
    assert resumed.n_extracted == N_SAMPLES - after
    assert contents(resumed.path) == contents(undisturbed)
    assert not parts_folder(resumed.path).exists()


def test_a_bad_image_costs_no_batch_before_it(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    images = copy_images(cells, tmp_path)
    good = (images / "00022_red.png").read_bytes()
    (images / "00022_red.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"sample 22 \(row 21\)"):
        extract(settings_for(images__root=images))
    (images / "00022_red.png").write_bytes(good)
    assert extract(settings_for(images__root=images)).n_extracted == 4


def test_a_quarantined_sample_among_the_rows_that_were_kept_stays_so(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    images = copy_images(cells, tmp_path)
    (images / "00002_red.png").write_bytes(b"nothing")
    (images / "00007_red.png").write_bytes(b"nothing")
    wanted = {"images__root": images, "extraction__on_error": "quarantine"}
    undisturbed = extract(settings_for(**wanted, extraction__output=tmp_path / "undisturbed.h5")).path
    with pytest.raises(KeyboardInterrupt):
        extract(settings_for(**wanted), observer=Disturbed(4, press_ctrl_c))
    assert contents(extract(settings_for(**wanted)).path) == contents(undisturbed)


def test_rows_that_were_kept_are_made_again_where_their_images_changed(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    images = copy_images(cells, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        extract(settings_for(images__root=images), observer=Disturbed(4, press_ctrl_c))
    (images / "00002_red.png").write_bytes((images / "00009_red.png").read_bytes())
    resumed = extract(settings_for(images__root=images))
    fresh = extract(settings_for(images__root=images, extraction__output=tmp_path / "fresh.h5"))
    assert resumed.n_extracted == N_SAMPLES
    assert contents(resumed.path) == contents(fresh.path)


def test_a_flipped_byte_of_the_rows_that_were_kept_changes_nothing(settings_for: MakeSettings, tmp_path: Path) -> None:
    undisturbed = extract(settings_for(extraction__output=tmp_path / "undisturbed.h5")).path
    settings = settings_for()
    for place in (0.02, 0.5, 0.98):
        with pytest.raises(KeyboardInterrupt):
            extract(settings, observer=Disturbed(4, press_ctrl_c))
        (path,) = begun(settings)
        damaged = bytearray(path.read_bytes())
        damaged[int(place * len(damaged))] ^= 0xFF
        path.write_bytes(damaged)
        assert contents(extract(settings).path) == contents(undisturbed)
        settings.extraction.output.unlink()


@pytest.fixture
def live_workers(monkeypatch: pytest.MonkeyPatch) -> list[Workers]:
    """The processes of the extractions that are begun from here on."""
    begun_ones: list[Workers] = []

    class Known(Workers):
        def __init__(self, seconds: float) -> None:
            super().__init__(seconds)
            begun_ones.append(self)

    monkeypatch.setattr(extract_module, "Workers", Known)
    return begun_ones


def stop_then_send(workers: list[Workers], name: str | None) -> Callable[[], None]:
    """Stop the process that reads, so that it comes to hold a sample; half a second later send it a signal."""

    def send(process_id: int) -> None:
        os.kill(process_id, getattr(signal, name or "SIGSTOP"))
        if name:
            os.kill(process_id, signal.SIGCONT)

    def disturb() -> None:
        for process_id in [worker._process.pid for worker in workers[-1]._all]:
            os.kill(process_id, signal.SIGSTOP)
            threading.Timer(0.5, send, [process_id]).start()

    return disturb


FATES = {"SIGSEGV": "died of SIGSEGV", "SIGABRT": "died of SIGABRT", None: "was not read within 4 s"}


@pytest.mark.parametrize("name", FATES)
def test_a_sample_that_ends_or_hangs_its_reader_is_quarantined_by_name(
    name: str | None, settings_for: MakeSettings, tmp_path: Path, live_workers: list[Workers]
) -> None:
    undisturbed = load_features(extract(settings_for(extraction__output=tmp_path / "undisturbed.h5")).path)
    disturbed = Disturbed(0, stop_then_send(live_workers, name))
    wanted = {"extraction__on_error": "quarantine", "extraction__image_timeout": 4, "extraction__workers": 1}
    features = load_features(extract(settings_for(**wanted), observer=disturbed).path)
    ((row, reason),) = features.samples.failures.items()
    assert FATES[name] in reason
    assert f"{row + 1:05d}_" in reason
    assert any(f"quarantined: sample {row + 1} (row {row})" in line for line in disturbed.lines)
    others = np.arange(N_SAMPLES) != row
    np.testing.assert_array_equal(features.samples.digests[others], undisturbed.samples.digests[others])
    np.testing.assert_allclose(features.embeddings[others], undisturbed.embeddings[others], rtol=1e-4, atol=1e-4)


def test_a_sample_that_ends_its_reader_stops_the_run_and_the_next_goes_on(
    settings_for: MakeSettings, tmp_path: Path, live_workers: list[Workers]
) -> None:
    undisturbed = extract(settings_for(extraction__output=tmp_path / "undisturbed.h5")).path
    with pytest.raises(ImageError, match=r"sample \d+ \(row \d+\): .*died of SIGSEGV.*--on-error quarantine"):
        extract(settings_for(), observer=Disturbed(0, stop_then_send(live_workers, "SIGSEGV")))
    assert contents(extract(settings_for()).path) == contents(undisturbed)


def test_a_reader_killed_for_want_of_memory_costs_no_sample(
    settings_for: MakeSettings, tmp_path: Path, live_workers: list[Workers]
) -> None:
    undisturbed = extract(settings_for(extraction__output=tmp_path / "undisturbed.h5")).path
    killed = extract(settings_for(), observer=Disturbed(0, stop_then_send(live_workers, "SIGKILL")))
    assert contents(killed.path) == contents(undisturbed)


def test_readers_that_cannot_start_stop_the_run_and_quarantine_nothing(
    settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_environment", lambda: {**os.environ, "PYTHONHOME": "/none"})
    with pytest.raises(WorkerError, match="could not be started"):
        extract(settings_for(extraction__on_error="quarantine"))


def heed_ctrl_c() -> None:
    """A test run in the background of a shell inherits that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


SIGNALS = {
    "Ctrl-C once": ([signal.SIGINT], {130}),
    "Ctrl-C twice": ([signal.SIGINT, signal.SIGINT], {130, -signal.SIGINT}),
    "SIGTERM": ([signal.SIGTERM], {143}),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SIGNALS)
def test_a_command_ended_by_signals_goes_on_to_the_same_bytes(
    name: str, settings_for: MakeSettings, tmp_path: Path
) -> None:
    undisturbed = extract(settings_for(extraction__output=tmp_path / "undisturbed.h5", extraction__part_size=8)).path
    settings = settings_for(extraction__output=tmp_path / "ended" / "features.h5", extraction__part_size=8)
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings.record()))
    command = [sys.executable, ROOT / "cli.py", "extract", "--config", config]
    numbers, expected_codes = SIGNALS[name]
    rng = np.random.default_rng(0)
    codes = []
    for _ in range(6):
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed_ctrl_c
        )
        assert process.stderr is not None
        process.stderr.readline()  # the device: from here on it works
        time.sleep(rng.uniform(0, 0.4))
        for number in numbers:
            os.killpg(process.pid, number)
            time.sleep(0.02)
        said = process.communicate(timeout=200)[1]
        codes.append(process.returncode)
        assert process.returncode in {0, *expected_codes}
        if process.returncode > 0:
            assert said.rstrip().endswith("start the same command again, and it goes on)")
        if settings.extraction.output.exists():
            verify_features(settings.extraction.output)
            settings.extraction.output.unlink()
    assert expected_codes & set(codes)
    subprocess.run(command, check=True)
    assert contents(settings.extraction.output) == contents(undisturbed)
    assert [path.name for path in settings.extraction.output.parent.iterdir()] == ["features.h5"]
