"""Extractions and reading processes interrupted by real signals: what is kept, and how the next run goes on."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from cellfeat.config import Settings
from cellfeat.errors import ImageError, WorkerError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features, parts_folder, verify_features
from cellfeat.samples.reading import worker_pool
from cellfeat.samples.reading import worker_process as worker_module
from cellfeat.samples.reading.worker_pool import Workers
from tests.extraction.observers import Disturbed, contents

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults are signals")
ROOT = Path(__file__).parents[2]
MakeSettings = Callable[..., Settings]
Finished = Callable[..., Path]
N_SAMPLES = 24
IN_PROCESSES = {"extraction__workers": 2}


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize("after", [4, 8, 20, 24])
def test_after_ctrl_c_finished_batches_are_kept(after: int, finished: Finished, settings_for: MakeSettings) -> None:
    settings = settings_for(extraction__part_size=16)
    disturbed = Disturbed(after, press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        extract(settings, observer=disturbed)
    assert disturbed.lines[-1] == f"{after} of 24 samples are done, and kept"
    resumed = extract(settings)
    assert resumed.n_extracted == N_SAMPLES - after
    assert contents(resumed.path) == contents(finished(extraction__part_size=16))
    assert not parts_folder(resumed.path).exists()


@pytest.mark.slow
def test_after_ctrl_c_with_reading_processes_the_run_goes_on(finished: Finished, settings_for: MakeSettings) -> None:
    with pytest.raises(KeyboardInterrupt):
        extract(settings_for(**IN_PROCESSES), observer=Disturbed(12, press_ctrl_c))
    resumed = extract(settings_for(**IN_PROCESSES))
    assert resumed.n_extracted == 12
    assert contents(resumed.path) == contents(finished())


@pytest.mark.slow
def test_a_bad_image_costs_no_batch_before_it(settings_for: MakeSettings, images: Path) -> None:
    good = (images / "00022_red.png").read_bytes()
    (images / "00022_red.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"sample 22 \(row 21\)"):
        extract(settings_for(images__root=images))
    (images / "00022_red.png").write_bytes(good)
    assert extract(settings_for(images__root=images)).n_extracted == 4


@pytest.mark.slow
def test_a_quarantined_sample_among_rows_that_were_kept_stays_quarantined(
    settings_for: MakeSettings, images: Path, tmp_path: Path
) -> None:
    (images / "00002_red.png").write_bytes(b"nothing")
    (images / "00007_red.png").write_bytes(b"nothing")
    wanted = {"images__root": images, "extraction__on_error": "quarantine"}
    undisturbed = extract(settings_for(**wanted, extraction__output=tmp_path / "undisturbed.h5")).path
    with pytest.raises(KeyboardInterrupt):
        extract(settings_for(**wanted), observer=Disturbed(4, press_ctrl_c))
    assert contents(extract(settings_for(**wanted)).path) == contents(undisturbed)


@pytest.mark.slow
def test_rows_that_were_kept_are_extracted_again_if_their_images_changed(
    settings_for: MakeSettings, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        extract(settings_for(images__root=images), observer=Disturbed(4, press_ctrl_c))
    shutil.copy(images / "00009_red.png", images / "00002_red.png")
    resumed = extract(settings_for(images__root=images))
    fresh = extract(settings_for(images__root=images, extraction__output=tmp_path / "fresh.h5"))
    assert resumed.n_extracted == N_SAMPLES
    assert contents(resumed.path) == contents(fresh.path)


@pytest.mark.slow
def test_a_flipped_byte_in_rows_that_were_kept_changes_nothing(finished: Finished, settings_for: MakeSettings) -> None:
    settings = settings_for()
    for place in (0.02, 0.5, 0.98):
        with pytest.raises(KeyboardInterrupt):
            extract(settings, observer=Disturbed(4, press_ctrl_c))
        (path,) = parts_folder(settings.extraction.output).glob("begun-*.h5")
        damaged = bytearray(path.read_bytes())
        damaged[int(place * len(damaged))] ^= 0xFF
        path.write_bytes(damaged)
        assert contents(extract(settings).path) == contents(finished())
        settings.extraction.output.unlink()


@pytest.fixture
def live_workers(monkeypatch: pytest.MonkeyPatch) -> list[Workers]:
    """The reading processes of the extractions that start from here on; each reads one sample after the other."""
    # Samples that were read at once are read again alone after a crash: one signal would cost none of them.
    monkeypatch.setattr(worker_pool, "MOST_ROWS", 1)
    started: list[Workers] = []

    class Known(Workers):
        def __init__(self, seconds: float) -> None:
            super().__init__(seconds)
            started.append(self)

    monkeypatch.setattr(worker_pool, "Workers", Known)
    return started


def stop_then_send(workers: list[Workers], name: str | None) -> Callable[[], None]:
    """Stop the reading process, so that it holds a sample; half a second later send it a signal."""

    def send(process_id: int) -> None:
        os.kill(process_id, getattr(signal, name or "SIGSTOP"))
        if name:
            os.kill(process_id, signal.SIGCONT)

    def disturb() -> None:
        # One that is still starting holds no sample.
        for process_id in [worker._process.pid for worker in workers[-1]._all if worker._is_ready.is_set()]:
            os.kill(process_id, signal.SIGSTOP)
            threading.Timer(0.5, send, [process_id]).start()

    return disturb


FATES = {"SIGSEGV": "SIGSEGV", "SIGABRT": "SIGABRT", None: "within 4 s"}


@pytest.mark.parametrize("name", FATES)
@pytest.mark.slow
def test_a_sample_that_ends_or_hangs_its_reader_is_quarantined_by_name(
    name: str | None, finished: Finished, settings_for: MakeSettings, live_workers: list[Workers]
) -> None:
    undisturbed = load_features(finished())
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


@pytest.mark.slow
def test_a_sample_that_ends_its_reader_stops_the_run_and_the_next_goes_on(
    finished: Finished, settings_for: MakeSettings, live_workers: list[Workers]
) -> None:
    settings = settings_for(**IN_PROCESSES)
    with pytest.raises(ImageError, match=r"sample \d+ \(row \d+\): .*SIGSEGV.*--on-error quarantine"):
        extract(settings, observer=Disturbed(0, stop_then_send(live_workers, "SIGSEGV")))
    assert contents(extract(settings).path) == contents(finished())


@pytest.mark.slow
def test_a_reader_killed_for_lack_of_memory_costs_no_sample(
    finished: Finished, settings_for: MakeSettings, live_workers: list[Workers]
) -> None:
    killed = extract(settings_for(**IN_PROCESSES), observer=Disturbed(0, stop_then_send(live_workers, "SIGKILL")))
    assert contents(killed.path) == contents(finished())


@pytest.mark.slow
def test_a_reader_that_cannot_start_stops_the_run_and_quarantines_nothing(
    settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_environment", lambda: {**os.environ, "PYTHONHOME": "/none"})
    with pytest.raises(WorkerError, match="start"):
        extract(settings_for(**IN_PROCESSES, extraction__on_error="quarantine"))


def heed_ctrl_c() -> None:
    """Accept Ctrl-C, which a test run in the background of a shell ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


SIGNALS = {
    "Ctrl-C once": ([signal.SIGINT], {130}),
    "Ctrl-C twice": ([signal.SIGINT, signal.SIGINT], {130, -signal.SIGINT}),
    "SIGTERM": ([signal.SIGTERM], {143}),
}

ROUNDS = 6 if "CELLFEAT_KILLS" in os.environ else 3
"""How often a command is ended by each kind of signals; fault injection takes more."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SIGNALS)
def test_a_command_ended_by_signals_goes_on_to_the_same_bytes(
    name: str, finished: Finished, settings_for: MakeSettings, tmp_path: Path
) -> None:
    settings = settings_for(extraction__output=tmp_path / "ended" / "features.h5", **IN_PROCESSES)
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings.record()))
    command = [sys.executable, ROOT / "cli.py", "extract", "--config", config]
    numbers, expected_codes = SIGNALS[name]
    rng = np.random.default_rng(0)
    codes = []
    for _ in range(ROUNDS):
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
            assert "start the same command again" in said.splitlines()[-1]
        if settings.extraction.output.exists():
            verify_features(settings.extraction.output)
            settings.extraction.output.unlink()
    assert expected_codes & set(codes)
    subprocess.run(command, check=True)
    assert contents(settings.extraction.output) == contents(finished())
    assert [path.name for path in settings.extraction.output.parent.iterdir()] == ["features.h5"]
