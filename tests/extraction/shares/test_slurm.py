"""The script of a Slurm array: its text, what bash makes of it, and its options."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cellfeat.errors import ConfigError, SchedulerError, WriteError
from cellfeat.extraction.shares.slurm import MARK, SlurmArray, array_script, fitting_tasks, parse_options
from cellfeat.extraction.shares.submission import DEFAULT_MAX_ARRAY, largest_array, submit_script

SAY = "import os, sys; print(*sys.argv[1:], os.environ['OMP_NUM_THREADS'], os.getcwd(), os.getpid(), sep='|')"
needs_bash = pytest.mark.skipif(os.name == "nt", reason="bash")


def array_of(folder: Path, **others: object) -> SlurmArray:
    given = {"program": [sys.executable, "-c", SAY, "extract"], "folder": folder, "name": "cells", "n_tasks": 8}
    return SlurmArray(**(given | others))


def run_script(array: SlurmArray, file: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    file.write_text(array_script(array))
    without = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    command = ["bash", str(file), *arguments]
    return subprocess.run(command, env=without | environ, capture_output=True, text=True, check=False)


def test_header_says_what_slurm_needs(tmp_path: Path) -> None:
    array = array_of(tmp_path, at_once=3, n_gpus=2, options=("--partition=gpu", "--time 04:00:00"))
    lines = array_script(array).splitlines()
    assert lines[0] == "#!/bin/bash"
    head = lines[1 : lines.index(MARK)]
    assert all(line.startswith("#") for line in head)
    expected = (
        "--array=0-7%3",
        "--requeue",
        "--signal=B:TERM@120",
        "--gres=gpu:2",
        "--partition=gpu",
        "--time 04:00:00",
    )
    assert [option for option in expected if f"#SBATCH {option}" not in head] == []


def test_same_array_gives_the_same_text(tmp_path: Path) -> None:
    assert array_script(array_of(tmp_path)) == array_script(array_of(tmp_path))


def test_nothing_of_the_environment_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-the-script")
    assert "not-for-the-script" not in array_script(array_of(tmp_path))


@pytest.mark.parametrize("name", ["two words", "$(touch x) `id`", "quotes ' and \"", "new\nline", "-n", "Zürich %j"])
@pytest.mark.parametrize("where", ["folder", "argument"])
@needs_bash
def test_odd_names_reach_the_program_as_they_are(name: str, where: str, tmp_path: Path) -> None:
    folder = tmp_path / (name if where == "folder" else "plain")
    folder.mkdir()
    array = array_of(folder, program=[sys.executable, "-c", SAY, f"--images={name}"], name=name)
    ended = run_script(array, tmp_path / "a script.sh", SLURM_ARRAY_TASK_ID="3")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.rpartition("|")[0] == "|".join([f"--images={name}", "--share", "3/8", "1", str(folder)])


@pytest.mark.parametrize(("role", "option"), [("plan", "--plan"), ("consolidate", "--consolidate")])
@needs_bash
def test_roles_of_the_script(role: str, option: str, tmp_path: Path) -> None:
    ended = run_script(array_of(tmp_path), tmp_path / "job.sh", role, SLURM_ARRAY_TASK_ID="0", SLURM_CPUS_PER_TASK="5")
    assert ended.stdout.startswith(f"extract|{option}|5|")


@needs_bash
def test_program_takes_the_place_of_the_shell(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text(array_script(array_of(tmp_path)))
    environ = os.environ | {"SLURM_ARRAY_TASK_ID": "1"}
    process = subprocess.Popen(["bash", tmp_path / "job.sh"], env=environ, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=30)
    assert int(out.rpartition("|")[2]) == process.pid


@needs_bash
def test_script_from_a_pipe_is_not_submitted(tmp_path: Path) -> None:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text("#!/bin/bash\necho 1\n")
    sbatch.chmod(0o755)
    ended = subprocess.run(
        ["bash"], input=array_script(array_of(tmp_path)), env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "to a file" in ended.stderr


def test_name_of_the_job_is_plain(tmp_path: Path) -> None:
    assert array_of(tmp_path, name="my cells; rm -rf $HOME\n(2)").job_name == "cellfeat-my-cells-rm-rf-HOME-2"
    assert array_of(tmp_path, name="…").job_name == "cellfeat-features"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("--partition=gpu --time=04:00:00", ("--partition=gpu", "--time=04:00:00")),
        ("-p gpu -A lab --mem 8G --exclusive", ("-p gpu", "-A lab", "--mem 8G", "--exclusive")),
        ("-pgpu --comment='two words'", ("-pgpu", "--comment=two words")),
        ("--constraint='[a|b]' --nodelist=node[1-3]", ("--constraint=[a|b]", "--nodelist=node[1-3]")),
    ],
)
def test_options_of_sbatch(text: str, expected: tuple[str, ...]) -> None:
    assert parse_options(text) == expected


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("partition=gpu", "partition=gpu"),
        ("--partition=gpu 04:00:00", "04:00:00"),
        ("--partition gpu 04:00:00", "04:00:00"),
        ("--comment='open", "cannot be split"),
        ("--comment='a\nb'", "not an option"),
        ("--array=0-3", "--engine-workers"),
        ("--arr=0-3", "--array"),
        ("-a0-3", "--array"),
        ("-n 4", "--ntasks"),
        ("--dependency=afterok:1", "--dependency"),
        ("--wrap=ls", "--wrap"),
    ],
)
def test_options_refused(text: str, noun: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_options(text)
    assert noun in str(raised.value)
    assert "--slurm" in str(raised.value)


@pytest.mark.parametrize("value", ["two words", 'a "b"', "back\\slash", "# not a comment", "it's", "$HOME"])
def test_values_are_quoted_for_sbatch(value: str, tmp_path: Path) -> None:
    text = array_script(array_of(tmp_path, options=parse_options(f"--comment={shlex.quote(value)}")))
    (line,) = (line for line in text.splitlines() if "--comment" in line)
    # sbatch takes double quotes and backslashes as a shell does; the test of the cluster holds it to Slurm itself.
    assert shlex.split(line.removeprefix("#SBATCH ")) == [f"--comment={value}"]


@pytest.mark.parametrize(
    ("wanted", "n_parts", "largest", "n_tasks", "noun"),
    [
        (8, 100, 1001, 8, None),
        (1, 1, 1, 1, None),
        (8, 3, 1001, 3, "3 parts"),
        (5000, 20_000, 1001, 1001, "MaxArraySize"),
    ],
)
def test_no_more_tasks_than_fit(wanted: int, n_parts: int, largest: int, n_tasks: int, noun: str | None) -> None:
    got, why = fitting_tasks(wanted, n_parts, largest)
    assert got == n_tasks
    assert why is None if noun is None else noun in (why or "")


def test_largest_array_without_a_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert largest_array() == DEFAULT_MAX_ARRAY == 1001


@needs_bash
def test_failing_sbatch_is_told_and_what_was_submitted_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    fails = (
        'case "$*" in *afterok*) echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1;; esac; echo "17;here"'
    )
    for name, body in {"sbatch": fails, "scancel": f'echo "$@" >> {shlex.quote(str(tmp_path))}/cancelled'}.items():
        (programs / name).write_text(f"#!/bin/bash\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    with pytest.raises(SchedulerError) as raised:
        submit_script(array_script(array_of(tmp_path)), tmp_path / "job.sh")
    assert "QOSMaxSubmitJobPerUserLimit" in str(raised.value)
    assert (tmp_path / "cancelled").read_text() == "17\n"


def test_other_file_is_not_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "job.sh"
    mine.write_text("#!/bin/bash\necho mine\n")
    with pytest.raises(WriteError, match=r"job\.sh"):
        submit_script(array_script(array_of(tmp_path)), mine)
    assert "mine" in mine.read_text()
