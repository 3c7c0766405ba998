"""Folders that cannot be written to, a quota, a folder removed under way: one message, and the same command goes on."""

import errno
import io
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellfeat.extraction.store import Features, load_features
from tests.bad_inputs.conftest import write_cells

N_SAMPLES = 24
READ_ONLY = r"(?m)^error: [^:]*: .*read-only.*--output"
FULL = r"(?m)^error: [^:]*: .*disk is full.*--output"


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True)


def fill(disk: Path) -> None:
    (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free))


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two classes, and their labels."""
    return write_cells(tmp_path_factory.mktemp("cells"), N_SAMPLES)


@pytest.fixture(scope="module")
def extract(cli, cells, network):
    def run(output: Path):
        return cli(
            "extract", "--images", cells / "images", "--labels", cells / "labels.csv", "--set",
            "images.layout=folders", "--set", "images.channels=[0]", "--set", "preprocessing.channels_as=separate",
            "--set", "labels.id=file", "--set", "labels.label=label", "--set", "labels.files=file",
            "--set", "extraction.part_size=4", "--set", "extraction.batch_size=4", "--output", output, *network,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def undisturbed(extract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "features.h5"
    ending = extract(output)
    assert ending.code == 0, ending.err
    return output


def content(features: Features) -> tuple[object, ...]:
    arrays = (
        features.embeddings,
        features.samples.status,
        features.samples.digests,
        features.samples.ids,
        features.samples.labels,
    )
    return (features.fingerprint, *(array.tobytes() for array in arrays))


def goes_on(extract: Callable[[Path], Any], output: Path, undisturbed: Path) -> None:
    ending = extract(output)
    assert ending.code == 0, ending.err
    assert content(load_features(output)) == content(load_features(undisturbed))
    # Thumbnails are beside the features wherever there was room for them.
    assert {path.name for path in output.parent.iterdir()} - {"features.view"} == {"features.h5"}


def after_the_first_part(output: Path, disturb: Callable[[], None]) -> threading.Thread:
    def wait_and_disturb() -> None:
        deadline = time.monotonic() + 60
        while not list(output.parent.glob("*.parts/rows-*.h5")) and time.monotonic() < deadline:
            time.sleep(0.001)
        disturb()

    thread = threading.Thread(target=wait_and_disturb)
    thread.start()
    return thread


class Quota:
    """Lets files be written through Python until so many bytes are used up; played, for few systems have a real one."""

    def __init__(self, n_bytes: int) -> None:
        self.n_left = n_bytes

    def open(self, path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode in ("w+b", "wb", "xb"):
            return io.BufferedRandom(self.file(path, mode.replace("b", "").replace("+", "") + "+"))
        return open(path, mode, *args, **kwargs)  # noqa: PTH123, Path.open is what is played here

    def file(self, path: Path, mode: str) -> io.FileIO:
        quota = self

        class File(io.FileIO):
            def write(self, content: Any) -> int:
                quota.n_left -= len(content)
                if quota.n_left < 0:
                    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
                return super().write(content)

        return File(path, mode)


@pytest.mark.slow
@pytest.mark.parametrize("n_bytes", [0, 3_000, 30_000, 70_000, 100_000])
def test_quota_ends_extract_and_the_next_run_continues(n_bytes, extract, undisturbed, tmp_path):
    output = tmp_path / "out" / "features.h5"
    quota = Quota(n_bytes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", lambda *args, **kwargs: quota.open(*args, **kwargs))
        ending = extract(output)
    ending.is_refusal(r"features\.h5.*quota.*--output")
    if n_bytes > 3_000:  # before that, nothing is known of the run
        ending.is_refusal(r"0\.\d MB .*features\.h5.*kept")
    assert not output.exists()
    assert not list(tmp_path.rglob("*.tmp"))
    goes_on(extract, output, undisturbed)


@pytest.mark.slow
def test_extract_into_a_read_only_folder_is_refused_at_once(small_disk, extract, undisturbed):
    output = small_disk / "out" / "features.h5"
    remount(small_disk, "ro")
    extract(output).is_refusal(READ_ONLY)
    remount(small_disk, "rw")
    output.parent.mkdir()
    fill_thread = after_the_first_part(output, lambda: fill(small_disk))
    extract(output).is_refusal("the disk is full")
    fill_thread.join()
    (small_disk / "filler").unlink()
    kept = sorted(output.parent.rglob("rows-*.h5"))
    assert kept
    remount(small_disk, "ro")
    extract(output).is_refusal(READ_ONLY)
    assert sorted(output.parent.rglob("rows-*.h5")) == kept
    remount(small_disk, "rw")
    goes_on(extract, output, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("removed", ["out", "out/features.h5.parts"])
def test_folder_removed_under_way_is_reported(removed, extract, undisturbed, tmp_path):
    output = tmp_path / "out" / "features.h5"
    removing = after_the_first_part(output, lambda: shutil.rmtree(tmp_path / removed, ignore_errors=True))
    ending = extract(output)
    removing.join()
    ending.is_refusal(r"features\.h5\S*: .*removed.*start the same command again")
    assert not output.exists()
    goes_on(extract, output, undisturbed)


@pytest.mark.slow
def test_folder_put_back_under_way_loses_nothing(extract, undisturbed, tmp_path):
    output = tmp_path / "out" / "features.h5"
    moving = after_the_first_part(output, lambda: (tmp_path / "out").rename(tmp_path / "elsewhere"))
    extract(output).is_refusal(r"features\.h5\S*: .*removed")
    moving.join()
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    (tmp_path / "elsewhere").rename(tmp_path / "out")
    goes_on(extract, output, undisturbed)


@pytest.fixture(scope="module")
def saved_head(cli, undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads") / "logreg"
    ending = cli("fit", "--head", "logreg", "--features", undisturbed, "--output", folder)
    assert ending.code == 0, ending.err
    return folder


COMMANDS = ("compare", "fit", "predict", "audit")


def run_into(command: str, folder: Path, cli: Callable[..., Any], undisturbed: Path, saved_head: Path) -> Any:
    features = ("--features", undisturbed, "--set", f"comparison.output={folder}")
    arguments: dict[str, tuple[object, ...]] = {
        "compare": ("--heads", "logreg,dummy", *features),
        "fit": ("--head", "logreg", *features, "--output", folder / "head"),
        "predict": ("--model", saved_head, "--features", undisturbed, "--output", folder / "predictions.csv"),
        "audit": ("--features", undisturbed, "--output", folder),
    }
    return cli(command, *arguments[command])


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_results_in_a_read_only_folder_are_refused(command, small_disk, cli, undisturbed, saved_head):
    remount(small_disk, "ro")
    run_into(command, small_disk / "results", cli, undisturbed, saved_head).is_refusal(READ_ONLY)
    remount(small_disk, "rw")
    assert run_into(command, small_disk / "results", cli, undisturbed, saved_head).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_results_on_a_full_disk_are_refused(command, small_disk, cli, undisturbed, saved_head):
    fill(small_disk)
    run_into(command, small_disk / "results", cli, undisturbed, saved_head).is_refusal(FULL)
    assert not list(small_disk.rglob("*.tmp"))
    (small_disk / "filler").unlink()
    assert run_into(command, small_disk / "results", cli, undisturbed, saved_head).code == 0
