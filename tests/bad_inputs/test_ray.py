"""``extract --engine ray`` with what cannot work: told in seconds, and nothing is lost."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cellfeat.samples.synthetic import write_synthetic_cells

pytest.importorskip("ray")
ROOT = Path(__file__).parents[2]
Refuse = Callable[..., str]


@pytest.fixture(scope="module")
def silent_port() -> Iterator[int]:
    """A port at which something listens that is no Ray cluster."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    write_synthetic_cells(folder, n_samples=9, seed=0, size=32)
    return folder / "images"


@pytest.fixture
def refuse(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Run ``extract --engine ray`` in this process; it must fail with code 1 and one message, which is returned."""
    from cellfeat.commands import exit_code

    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def run(*options: str) -> str:
        output = tmp_path / "features.h5"
        command = ["extract", "--engine=ray", f"--images={images}", "--labels=none", f"--output={output}"]
        assert exit_code([*command, *options]) == 1
        assert not output.exists()
        stderr = capsys.readouterr().err
        assert "Traceback" not in stderr
        return stderr

    return run


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:1", "ray start --head"),
        ("no-such-host.invalid:6379", "nothing answers"),
        ("head", "HOST:PORT"),
        ("head:port", "HOST:PORT"),
        ("127.0.0.1:99999", "HOST:PORT"),
        ("ray://127.0.0.1:1", "--ray-client-server-port"),
        ("", "HOST:PORT"),
    ],
)
@pytest.mark.timeout(30)
def test_wrong_address(address: str, told: str, refuse: Refuse) -> None:
    message = refuse("--address", address)
    assert "--address" in message
    assert told in message


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_address_of_something_else(silent_port: int, refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellfeat.ray_connection.SECONDS_TO_CONNECT", 3.0)
    assert "is it the address of a Ray cluster" in refuse("--address", f"127.0.0.1:{silent_port}")


def test_address_in_the_environment(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert "127.0.0.1:1" in refuse()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--update"], "--update and --engine ray"),
        (["--share", "0/2"], "--share and --engine ray"),
        (["--consolidate"], "--consolidate and --engine ray"),
        (["--submit"], "--engine slurm"),
        (["--images", "nowhere"], "nowhere"),
    ],
)
def test_options_that_do_not_go_with_ray(options: list[str], told: str, refuse: Refuse) -> None:
    assert told in refuse(*options)


@pytest.mark.parametrize("option", ["--address=auto", "--engine-workers=2", "--gpus-per-worker=1"])
def test_options_of_ray_without_it(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    from cellfeat.commands import exit_code

    assert exit_code(["extract", option]) == 1
    assert "--engine ray" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--engine-workers=0", "--engine-workers=two", "--gpus-per-worker=-1"])
def test_numbers_that_make_no_sense(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    from cellfeat.commands import exit_code

    assert exit_code(["extract", "--engine=ray", option]) == 2
    assert option.partition("=")[0] in capsys.readouterr().err


@pytest.mark.slow
def test_ray_that_is_not_installed(images: Path, tmp_path: Path) -> None:
    blocked = "import sys; sys.modules['ray'] = None; from cellfeat.commands import main; main()"
    command = [sys.executable, "-c", blocked, "extract", "--engine=ray", f"--images={images}", "--labels=none"]
    done = subprocess.run([*command, f"--output={tmp_path / 'a.h5'}"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "pip install 'cellfeat[ray]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--device", "cuda"], "no machine of the cluster offers a GPU"),
        (["--gpus-per-worker", "1"], "no machine of the cluster offers as many GPUs"),
        (["--engine-workers", "100000"], "ask for fewer workers"),
        (["--device", "cuda:1"], "--device cuda:1"),
    ],
)
def test_workers_that_do_not_fit_this_machine(options: list[str], told: str, images: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from cellfeat.commands import main; main()", "extract", "--engine=ray"]
    arguments = [f"--images={images}", "--labels=none", f"--output={tmp_path / 'a.h5'}", *options]
    # Nothing of a cluster that somebody runs on this machine.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_folder_that_cannot_be_written(images: Path, tmp_path: Path) -> None:
    (tmp_path / "features").write_text("a file, and no folder")
    command = [sys.executable, "-c", "from cellfeat.commands import main; main()", "extract", "--engine=ray"]
    output = tmp_path / "features" / "cells.h5"
    done = subprocess.run(
        [
            *command,
            f"--images={images}",
            "--labels=none",
            "--backbone=efficientnet_lite0",
            f"--output={output}",
            "--engine-workers=1",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert str(tmp_path / "features") in done.stderr
    assert "Traceback" not in done.stderr
    shutil.rmtree(tmp_path / "features", ignore_errors=True)
