"""The printed script on a real Slurm: a one-node cluster that the test starts."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

from cellfeat.samples.synthetic import write_synthetic_cells
from tests.extraction.observers import contents
from tests.extraction.shares.slurm_cluster import MAX_ARRAY, Cluster, missing_programs, running_cluster, wait_until

ROOT = Path(__file__).parent.parent.parent.parent
N_SAMPLES, PART, N_TASKS = 120, 4, 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"Slurm is not installed: no {', '.join(missing_programs())} (apt-get install slurm-wlm munge)",
    ),
]


@dataclass(frozen=True)
class User:
    """Somebody with images in a folder with an odd name."""

    cluster: Cluster
    folder: Path

    def extract(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable, str(ROOT / "cli.py"), "extract", "--images", "my images", "--labels", "labels.csv",
            "--backbone", "mobilenet_v3_small", "--weights", "weights.pth", "--device", "cpu", "--precision", "fp32",
            "--workers", "0", "--views", "8", "--batch-size", "2", "--set", "preprocessing.input_size=64",
            "--set", "preprocessing.crop=none", "--set", f"extraction.part_size={PART}",
            "--set", "images.pattern={sample_id:05d}_{channel}.png", *arguments,
        ]  # fmt: skip
        environ = self.cluster.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)

    def succeed(self, *arguments: str) -> str:
        ended = self.extract(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    folder = tmp_path_factory.mktemp("user") / "somebody's $cells"
    folder.mkdir()
    write_synthetic_cells(folder, n_samples=N_SAMPLES, seed=1, size=32)
    (folder / "images").rename(folder / "my images")
    torch.manual_seed(0)
    torch.save(models.get_model("mobilenet_v3_small").state_dict(), folder / "weights.pth")
    with running_cluster() as cluster:
        yield User(cluster, folder)


@pytest.fixture(scope="module")
def plan(user: User) -> bytes:
    """A plan that every output gets: without it each would measure anew which implementation is fastest."""
    user.succeed("--output", "planned.h5", "--plan")
    return (user.folder / "planned.h5.parts" / "run.json").read_bytes()


@pytest.fixture(scope="module")
def expected(user: User, plan: bytes) -> dict[str, Any]:
    """What one process gives."""
    give_plan(user, "plain.h5", plan)
    user.succeed("--output", "plain.h5")
    return contents(user.folder / "plain.h5")


def give_plan(user: User, output: str, plan: bytes) -> None:
    folder = user.folder / f"{output}.parts"
    folder.mkdir()
    (folder / "run.json").write_bytes(plan)


def submit(user: User, output: str) -> list[str]:
    """Submit an array by --submit, and give the numbers of the array and of the consolidation."""
    line = user.succeed(
        "--output", output, "--engine", "slurm", "--engine-workers", str(N_TASKS), "--submit",
        "--slurm", "--partition=main --time=10 --cpus-per-task=1 --comment='a \"b\" # c'",
    )  # fmt: skip
    assert line.startswith("submitted: plan ")
    words = line.replace(",", "").split()
    return [words[4], words[-1]]


def before_the_end(user: User, task: str, output: str) -> None:
    """Wait until a task has made some of its parts, and not all."""
    number = int(task.rpartition("_")[2])

    def made() -> int:
        starts = [int(path.stem.split("-")[1]) for path in (user.folder / f"{output}.parts").glob("rows-*.h5")]
        return sum(start // PART % N_TASKS == number for start in starts)

    wait_until(lambda: made() > 0, 120, lambda: f"{task}: {user.cluster.states(task)}")
    assert made() < N_SAMPLES // PART // N_TASKS, "the task was faster than the test"


def test_printed_script_ends_as_a_plain_run(user: User, plan: bytes, expected: dict[str, Any]) -> None:
    give_plan(user, "printed.h5", plan)
    script = user.succeed(
        "--output", "printed.h5", "--engine", "slurm", "--engine-workers", "3", "--at-once", "2",
        "--slurm", "--cpus-per-task=1 --time=10",
    )  # fmt: skip
    (user.folder / "job.sh").write_text(script)
    last = user.cluster.run("bash", "job.sh", cwd=user.folder).split()[-1]
    assert user.cluster.wait(last) == {"0": "COMPLETED"}, user.cluster.log(last, 0, user.folder)
    assert contents(user.folder / "printed.h5") == expected
    assert not (user.folder / "printed.h5.parts").exists()


def test_killed_task_is_named_and_made_again(user: User, plan: bytes, expected: dict[str, Any]) -> None:
    give_plan(user, "killed.h5", plan)
    shares, last = submit(user, "killed.h5")
    before_the_end(user, f"{shares}_1", "killed.h5")
    user.cluster.run("scancel", "--signal=KILL", "--full", f"{shares}_1", cwd=user.folder)
    assert user.cluster.wait(last) == {"0": "FAILED"}
    states = user.cluster.wait(shares)
    assert states.pop("1") in ("FAILED", "CANCELLED")
    assert states == {"0": "COMPLETED", "2": "COMPLETED"}
    said = user.cluster.log(last, 0, user.folder)
    assert "parts are missing" in said
    assert "share 1/3" in said
    assert not (user.folder / "killed.h5").exists()

    script = "cellfeat-killed.slurm.sh"
    again = user.cluster.run("sbatch", "--parsable", "--array=1", script, cwd=user.folder)
    after = f"--dependency=afterany:{again}"
    then = user.cluster.run("sbatch", "--parsable", "--array=0", after, script, "consolidate", cwd=user.folder)
    assert user.cluster.wait(then) == {"0": "COMPLETED"}, user.cluster.log(then, 0, user.folder)
    assert contents(user.folder / "killed.h5") == expected


def test_terminated_and_requeued_tasks_go_on(user: User, plan: bytes, expected: dict[str, Any]) -> None:
    give_plan(user, "requeued.h5", plan)
    shares, last = submit(user, "requeued.h5")
    before_the_end(user, f"{shares}_0", "requeued.h5")
    # What Slurm sends 120 s before the end of the time limit.
    user.cluster.run("scancel", "--signal=TERM", "--batch", f"{shares}_0", cwd=user.folder)
    before_the_end(user, f"{shares}_1", "requeued.h5")
    user.cluster.requeue(f"{shares}_1")
    assert user.cluster.wait(last) == {"0": "FAILED"}
    assert user.cluster.wait(shares) == {"0": "FAILED", "1": "COMPLETED", "2": "COMPLETED"}
    assert user.cluster.fields(f"{shares}_0")["ExitCode"] == "143:0"
    assert "terminated" in user.cluster.log(shares, 0, user.folder)
    assert user.cluster.fields(f"{shares}_1")["Restarts"] == "1"

    again = user.cluster.run("bash", "cellfeat-requeued.slurm.sh", cwd=user.folder).split()[-1]
    assert user.cluster.wait(again) == {"0": "COMPLETED"}, user.cluster.log(again, 0, user.folder)
    assert contents(user.folder / "requeued.h5") == expected


def test_array_is_no_larger_than_the_cluster_takes(user: User) -> None:
    ended = user.extract("--output", "wide.h5", "--engine", "slurm", "--engine-workers", "20")
    assert f"#SBATCH --array=0-{MAX_ARRAY - 1}\n" in ended.stdout
    assert "MaxArraySize" in ended.stderr
    (user.folder / "wide.sh").write_text(ended.stdout)
    user.cluster.run("sbatch", "--test-only", "wide.sh", cwd=user.folder)
    refused = user.cluster.ended("sbatch", "--test-only", f"--array=0-{MAX_ARRAY}", "wide.sh", cwd=user.folder)
    assert "Invalid job array" in refused.stderr


def test_refused_jobs_are_told(user: User) -> None:
    arguments = ("--output", "refused.h5", "--engine", "slurm", "--engine-workers", "2", "--submit")
    ended = user.extract(*arguments, "--slurm", "--partition=nowhere")
    assert ended.returncode == 1
    assert "nowhere" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "cellfeat-refused" not in user.cluster.run("squeue", "--noheader", "--format=%j", cwd=user.folder)


def test_share_of_a_step_of_srun(user: User) -> None:
    seen = user.cluster.run(
        "srun", "--ntasks=2", sys.executable, "-c",
        "import os; from cellfeat.extraction.shares.environment import choose_share as c; print(c('auto', os.environ))",
        cwd=user.folder, environ={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert sorted(seen.split()) == ["0/2", "1/2"]
