"""``extract --engine slurm`` where there is no cluster: what it prints is the command that was typed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cellfeat.extraction.shares.slurm import MARK
from tests.commands.command_line import EXTRACT, ROOT, Ended, run_cli, succeed

SLURM = ("--engine", "slurm", "--engine-workers", "2")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave bash on the path, and no program of Slurm."""
    for name in ("bash", "realpath"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(tmp_path))


def words(script: str) -> list[str]:
    """The program and its options, as bash reads them."""
    inner = script.partition("extract=(\n")[2].partition("\n)\n")[0]
    return shlex.split(inner)


def test_script_repeats_every_option(folder: Path) -> None:
    given = (*EXTRACT, "--set", "extraction.part_size=16", "--bits", "close", "--profile", "--output", "a b/'c'.h5")
    script = succeed(folder, *given, *SLURM).stdout
    assert words(script)[:3] == [sys.executable, str(ROOT / "cli.py"), "extract"]
    typed = words(script)[3:]
    assert "--set=preprocessing.input_size=48" in typed
    assert "--set=extraction.part_size=16" in typed
    assert [word for word in typed if word.startswith("--weights")] == [
        f"--weights={EXTRACT[EXTRACT.index('--weights') + 1]}"
    ]
    assert {"--images=images", "--workers=0", "--bits=close", "--profile", "--output=a b/'c'.h5"} <= set(typed)
    assert not [word for word in typed if word.startswith(("--engine", "--submit", "--slurm", "--at-once"))]


def test_script_repeats_the_weights_of_each_network(folder: Path) -> None:
    weights = EXTRACT[EXTRACT.index("--weights") + 1]
    of_each = (f"--weights=mobilenet_v3_small={weights}", "--weights=efficientnet_lite0=default")
    given = [word for word in EXTRACT if word not in ("--weights", weights)]
    given[given.index("--backbone") + 1] = "mobilenet_v3_small+efficientnet_lite0"
    typed = words(succeed(folder, *given, *of_each, *SLURM).stdout)
    assert [word for word in typed if word.startswith("--weights")] == list(of_each)


def test_script_names_the_settings_by_their_whole_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "slurm").mkdir(exist_ok=True)
    (folder / "slurm" / "cellfeat.yaml").write_text(f"images: {{root: {folder}/images}}\nlabels: {{file: null}}\n")
    (folder / "slurm" / "other.yaml").write_text("extraction: {part_size: 8}\n")
    found = words(succeed(folder / "slurm", "extract", *SLURM).stdout)
    assert f"--config={folder}/slurm/cellfeat.yaml" in found
    images = ("--images", str(folder / "images"), "--labels", "none")
    given = words(succeed(folder / "slurm", "extract", *images, "--config", "other.yaml", *SLURM).stdout)
    assert f"--config={folder}/slurm/other.yaml" in given
    assert len([word for word in given if word.startswith("--config")]) == 1


def test_no_more_tasks_than_parts(folder: Path) -> None:
    done = succeed(folder, *EXTRACT, "--engine", "slurm", "--engine-workers", "4000")
    assert "#SBATCH --array=0-0\n" in done.stdout
    assert "4,000 tasks" in done.stderr


def test_gpus_and_tasks_at_once(folder: Path) -> None:
    parts = ("--set", "extraction.part_size=1")
    script = succeed(folder, *EXTRACT, *parts, *SLURM, "--gpus-per-worker", "1", "--at-once", "1").stdout
    assert "#SBATCH --gres=gpu:1\n" in script
    assert "#SBATCH --array=0-1%1\n" in script


def test_submission_without_sbatch_prints_the_script(folder: Path) -> None:
    done = run_cli(folder, *EXTRACT, *SLURM, "--submit")
    assert done.returncode == 1
    assert "sbatch" in done.stderr
    assert MARK in done.stdout
    assert not list(folder.glob("*.slurm.sh"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="bash")
def test_tasks_of_the_printed_script_make_the_file(folder: Path) -> None:
    """Each job of the script, as Slurm starts it."""
    options = (*EXTRACT, "--set", "extraction.part_size=32", "--output", "features/tasks.h5")
    (folder / "tasks.sh").write_text(succeed(folder, *options, *SLURM).stdout)

    def job(*arguments: str, **environ: str) -> Ended:
        command = ["bash", str(folder / "tasks.sh"), *arguments]
        return subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, check=False)

    too_early = job("consolidate")
    assert too_early.returncode == 1
    assert "plan" in too_early.stderr
    for task in ("1", "0"):
        done = job(SLURM_ARRAY_TASK_ID=task)
        assert done.returncode == 0, done.stderr
    assert job("consolidate").stdout == "features/tasks.h5\n"
