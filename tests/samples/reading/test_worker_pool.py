"""Processes that read samples, with real faults: signals to them, a disk that never answers, damage in memory."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.errors import ImageError, MissingFileError, WorkerError
from cellfeat.samples.reading import worker_process as worker_module
from cellfeat.samples.reading.images import SampleReader
from cellfeat.samples.reading.worker_pool import Workers, WorkersReader

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults are signals")
ROOT = Path(__file__).parents[3]
N_SAMPLES = 12
CHANNELS = ("red", "green")
LARGE = 5000
"""Side of an image that takes a moment to decode, and more than a pipe holds."""


@pytest.fixture
def reader(tmp_path: Path) -> SampleReader:
    rng = np.random.default_rng(0)
    for row in range(N_SAMPLES):
        for channel in CHANNELS:
            pixels = rng.integers(0, 2**16, (9, 7), np.uint16)
            (tmp_path / f"{row}_{channel}.png").write_bytes(imagecodecs.png_encode(pixels))
    files = tuple(tuple(f"{row}_{channel}.png" for channel in CHANNELS) for row in range(N_SAMPLES))
    return SampleReader(tmp_path, files, CHANNELS, True)


@pytest.fixture(scope="module")
def large_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample whose second file takes a moment to decode."""
    folder = tmp_path_factory.mktemp("large")
    pixels = np.random.default_rng(1).integers(0, 2**16, (LARGE, LARGE), np.uint16)
    for channel, values in zip(CHANNELS, (np.zeros_like(pixels), pixels), strict=True):
        (folder / f"large_{channel}.png").write_bytes(imagecodecs.png_encode(values, level=1))
    return folder


@pytest.fixture
def large_green(reader: SampleReader, large_files: Path) -> SampleReader:
    """The reader with the large sample as row `N_SAMPLES`."""
    for file in large_files.iterdir():
        (reader.root / file.name).symlink_to(file)
    return SampleReader(reader.root, (*reader.files, ("large_red.png", "large_green.png")), CHANNELS, True)


def process_ids(workers: Workers) -> list[int]:
    """The processes that run."""
    return sorted(worker._process.pid for worker in list(workers._all))


def wait_until_it_reads(workers: Workers, number: int) -> int:
    """Wait until the only process has the file of that number in hand; returns its process id."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for worker in list(workers._all):
            if worker._is_ready.is_set() and worker._noted()[0] == number:
                return worker._process.pid
        time.sleep(0.001)
    raise AssertionError("it never began")


def signalled(workers: Workers, reader: SampleReader, number: int, number_of_file: int = 1) -> ImageError:
    """What comes of the last sample when the process that reads its second file is sent a signal."""
    workers.start(1)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(workers.read, reader, N_SAMPLES)
        os.kill(wait_until_it_reads(workers, number_of_file), number)
        error = future.exception(100)
    assert isinstance(error, ImageError)
    return error


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["|u1", "<u2", ">u2", "<f4"])
def test_process_returns_the_same_sample(dtype: str, tmp_path: Path) -> None:
    pixels = np.arange(30, dtype=dtype).reshape(5, 6)
    (tmp_path / "a.tif").write_bytes(imagecodecs.tiff_encode(pixels) if dtype != ">u2" else tiff_of(pixels))
    reader = SampleReader(tmp_path, (("a.tif",),), ("grey",), True)
    with Workers() as workers:
        read, *notes = WorkersReader(reader, workers).read_sample(0)
    expected, *expected_notes = reader.read_sample(0)
    assert notes == expected_notes
    assert (read.dtype, read.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(read, expected)


def tiff_of(pixels: np.ndarray) -> bytes:
    from io import BytesIO

    import tifffile

    file = BytesIO()
    tifffile.imwrite(file, pixels, byteorder=">")
    return file.getvalue()


@pytest.mark.slow
def test_each_thread_gets_its_own_sample(reader: SampleReader) -> None:
    with Workers() as workers, ThreadPoolExecutor(3) as pool:
        rows = list(range(N_SAMPLES)) * 3
        for row, pixels in zip(rows, pool.map(lambda row: workers.read(reader, row), rows), strict=True):
            np.testing.assert_array_equal(pixels, reader.read(row))
        assert len(process_ids(workers)) <= 3


@pytest.mark.slow
def test_reader_error_is_passed_on_and_process_continues(reader: SampleReader) -> None:
    (reader.root / "3_green.png").unlink()
    (reader.root / "4_red.png").write_bytes(b"nothing")
    with Workers() as workers:
        workers.start(1)
        before = process_ids(workers)
        for row, error in ((3, MissingFileError), (4, ImageError)):
            with pytest.raises(error) as here:
                reader.read(row)
            with pytest.raises(error) as there:
                workers.read(reader, row)
            assert str(there.value) == str(here.value)
        assert process_ids(workers) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"])
def test_crash_names_file_and_next_sample_is_read(name: str, large_green: SampleReader) -> None:
    with Workers() as workers:
        error = signalled(workers, large_green, getattr(signal, name))
        assert str(error).startswith(f"{large_green.root / 'large_green.png'}: ")
        assert f"died of {name}" in str(error)
        np.testing.assert_array_equal(workers.read(large_green, 0), large_green.read(0))


@pytest.mark.slow
def test_last_words_of_a_crashed_codec_are_quoted(reader: SampleReader, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workers() as workers:
        workers.start(1)
        (worker,) = workers._all
        worker._wait_until_ready()
        worker._notes.seek(0, os.SEEK_END)
        worker._notes.write(b"malloc(): corrupted top size\n")
        worker._notes.flush()
        os.kill(worker._process.pid, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(workers.read, reader, 0)
            time.sleep(0.2)
            os.kill(worker._process.pid, signal.SIGABRT)
            os.kill(worker._process.pid, signal.SIGCONT)
            with pytest.raises(ImageError, match=r"died of SIGABRT: malloc\(\): corrupted top size"):
                future.result(100)


@pytest.mark.slow
def test_sample_of_a_killed_process_is_read_again(large_green: SampleReader) -> None:
    with Workers() as workers, ThreadPoolExecutor(1) as pool:
        workers.start(1)
        future = pool.submit(workers.read, large_green, N_SAMPLES)
        os.kill(wait_until_it_reads(workers, 1), signal.SIGKILL)
        np.testing.assert_array_equal(future.result(100), large_green.read(N_SAMPLES))


@pytest.mark.slow
def test_sample_killed_twice_is_named(large_green: SampleReader) -> None:
    with Workers() as workers, ThreadPoolExecutor(1) as pool:
        workers.start(1)
        future = pool.submit(workers.read, large_green, N_SAMPLES)
        first = wait_until_it_reads(workers, 1)
        os.kill(first, signal.SIGKILL)
        while first in process_ids(workers):
            time.sleep(0.001)
        os.kill(wait_until_it_reads(workers, 1), signal.SIGKILL)
        with pytest.raises(ImageError, match=r"large_green.png: the process that read it died of SIGKILL"):
            future.result(100)


@pytest.mark.slow
def test_second_read_after_a_kill_runs_alone(large_green: SampleReader) -> None:
    with Workers() as workers:
        began, release = threading.Event(), threading.Event()

        def read_shared() -> None:
            with workers._reading.shared():
                began.set()
                release.wait(100)

        holder = threading.Thread(target=read_shared)
        holder.start()
        assert began.wait(100)
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(workers.read, large_green, N_SAMPLES)
            os.kill(wait_until_it_reads(workers, 1), signal.SIGKILL)
            time.sleep(0.5)
            assert not future.done()
            assert process_ids(workers) == []
            release.set()
            future.result(100)
        holder.join()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signal_to_the_whole_job_does_not_end_a_process(name: str, reader: SampleReader) -> None:
    with Workers() as workers:
        workers.read(reader, 0)
        before = process_ids(workers)
        os.kill(before[0], getattr(signal, name))
        workers.read(reader, 1)
        assert process_ids(workers) == before


@pytest.mark.slow
def test_process_killed_while_idle_costs_no_sample(reader: SampleReader) -> None:
    with Workers() as workers:
        workers.read(reader, 0)
        (idle,) = process_ids(workers)
        os.kill(idle, signal.SIGSEGV)
        os.waitid(os.P_PID, idle, os.WEXITED | os.WNOWAIT)
        np.testing.assert_array_equal(workers.read(reader, 1), reader.read(1))


@pytest.mark.slow
def test_a_process_that_is_ready_is_taken_before_one_that_starts(reader: SampleReader) -> None:
    with Workers() as workers:
        workers.start(1)
        workers.read(reader, 0)
        workers.start(2)
        workers.read(reader, 1)
        ready = [worker._is_ready.is_set() for worker in list(workers._all)]
    assert sorted(ready) == [False, True]


@pytest.mark.slow
def test_silent_process_is_replaced_and_its_file_named(large_green: SampleReader) -> None:
    with Workers(seconds=3) as workers:
        for row in range(N_SAMPLES):
            workers.read(large_green, row)
        error = signalled(workers, large_green, signal.SIGSTOP)
        assert "large_green.png: was not read within 3 s" in str(error)
        np.testing.assert_array_equal(workers.read(large_green, 0), large_green.read(0))


@pytest.mark.slow
def test_process_that_cannot_be_killed_is_not_waited_for(reader: SampleReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess.Popen, "kill", lambda self: None)  # as one that waits inside the kernel
    monkeypatch.setattr(worker_module, "SECONDS_TO_END", 0.2)
    workers = Workers(seconds=2)
    with workers:
        workers.read(reader, 0)
        (hung,) = process_ids(workers)
        os.kill(hung, signal.SIGSTOP)
        with pytest.raises(ImageError, match=r"1_red\.png: was not read within"):  # of which no file was begun
            workers.read(reader, 1)
        np.testing.assert_array_equal(workers.read(reader, 1), reader.read(1))
        left = process_ids(workers)
    for process_id in (hung, *left):
        os.kill(process_id, signal.SIGKILL)


@pytest.mark.slow
def test_process_that_cannot_start_is_no_image_error(reader: SampleReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(worker_module, "_environment", lambda: {**os.environ, "PYTHONPATH": "", "PYTHONHOME": "/none"})
    with Workers() as workers, pytest.raises(WorkerError, match="could not be started: it ended with exit code 1"):
        workers.read(reader, 0)


@pytest.mark.slow
def test_closing_ends_all_processes(large_green: SampleReader) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Workers() as workers:
            workers.start(2)
            future = pool.submit(workers.read, large_green, N_SAMPLES)
            os.kill(wait_until_it_reads(workers, 1), signal.SIGSTOP)
            processes = process_ids(workers)
        assert isinstance(future.exception(20), (ImageError, WorkerError))
    for process_id in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)
    with pytest.raises(WorkerError, match="stopped"):
        workers.read(large_green, 0)


@pytest.mark.slow
def test_processes_end_with_their_parent(reader: SampleReader) -> None:
    code = """
import os, sys
from pathlib import Path
from cellfeat.samples.reading.worker_pool import Workers
from cellfeat.samples.reading.images import SampleReader
reader = SampleReader(Path(sys.argv[1]), (("0_red.png", "0_green.png"),), ("red", "green"), True)
workers = Workers()
workers.read(reader, 0)
print(*(worker._process.pid for worker in workers._all), flush=True)
os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", code, reader.root], stdout=subprocess.PIPE, text=True, check=False)
    process_id, deadline = int(ended.stdout), time.monotonic() + 60
    while Path(f"/proc/{process_id}/cmdline").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{process_id}/cmdline").exists()


@pytest.mark.slow
def test_script_needs_no_main_guard(reader: SampleReader, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
from pathlib import Path
from cellfeat.samples.reading.worker_pool import Workers
from cellfeat.samples.reading.images import SampleReader
reader = SampleReader(Path({str(reader.root)!r}), (("0_red.png", "0_green.png"),), ("red", "green"), True)
with Workers() as workers:
    print(workers.read(reader, 0).shape)
""")
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the working folder was imported')")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert (ended.stdout, ended.stderr) == ("(2, 9, 7)\n", "")


def test_process_loads_no_heavy_library() -> None:
    code = "import cellfeat.samples.reading.worker_process, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert {"torch", "pandas", "scipy", "sklearn", "h5py", "click"} & set(loaded.split()) == set()


def test_rows_read_at_once_are_those_read_alone(reader: SampleReader) -> None:
    (reader.root / "3_green.png").write_bytes(b"no image")
    (reader.root / "4_red.png").unlink()
    with Workers() as workers:
        at_once = WorkersReader(reader, workers).read_rows(range(2, 7))
        alone = [WorkersReader(reader, workers).read_rows([row])[0] for row in range(2, 7)]
    assert [type(one) for one in at_once[1:3]] == [ImageError, MissingFileError]
    assert list(map(str, at_once[1:3])) == list(map(str, alone[1:3]))
    for one, other in zip(at_once[:1] + at_once[3:], alone[:1] + alone[3:], strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
def test_crash_loses_one_of_the_rows_read_at_once(name: str, large_green: SampleReader) -> None:
    rows = [1, N_SAMPLES, 2]
    with Workers() as workers, ThreadPoolExecutor(1) as pool:
        workers.start(1)
        future = pool.submit(WorkersReader(large_green, workers).read_rows, rows)
        # The first time the large file has number 3 in the request; then it is read again, alone or as before.
        os.kill(wait_until_it_reads(workers, 3), getattr(signal, name))
        outcomes = future.result(100)
    assert [outcome.pixels.shape[1:] for outcome in outcomes] == [(9, 7), (LARGE, LARGE), (9, 7)]


def test_only_small_files_are_read_several_at_once(reader: SampleReader, large_green: SampleReader) -> None:
    with Workers() as workers:
        assert WorkersReader(reader, workers).rows_at_once > 1
        assert WorkersReader(large_green.only(N_SAMPLES), workers).rows_at_once == 1
        assert WorkersReader(replace(reader, files=(("gone.png",) * 2,)), workers).rows_at_once == 1
