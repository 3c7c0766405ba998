"""The processors that a process may use: those it is bound to, within the quota of its control groups."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellfeat.processors import processor_quotas

GROUPS_OF_THIS_MACHINE = Path("/sys/fs/cgroup/cpu")


def control_groups(folder: Path, lines: str, files: dict[str, str]) -> list[float]:
    """Return the quotas of a process whose membership and control groups are these."""
    (folder / "membership").write_text(lines)
    for name, content in files.items():
        path = folder / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return list(processor_quotas(folder / "membership", folder / "mounted"))


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, [1.5], id="container of version 2"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, [], id="no limit in version 2"),
        pytest.param("0::/\n", {"memory.max": "max\n"}, [], id="no controller of processors"),
        pytest.param(
            "0::/user.slice/job\n",
            {"user.slice/job/cpu.max": "400000 100000", "user.slice/cpu.max": "200000 100000"},
            [4.0, 2.0],
            id="the groups above limit too",
        ),
        pytest.param(
            "5:memory:/\n2:cpu,cpuacct:/docker/ab12\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            [0.5],
            id="container of version 1, which knows its outer name only",
        ),
        pytest.param(
            "2:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            [],
            id="no limit in version 1",
        ),
        pytest.param("0::/\n", {"cpu.max": "unheard of"}, [], id="a file that is something else"),
    ],
)
def test_quotas_are_read_from_both_versions_of_control_groups(
    lines: str, files: dict[str, str], expected: list[float], tmp_path: Path
) -> None:
    assert control_groups(tmp_path, lines, files) == expected


def test_systems_without_control_groups_have_no_quota(tmp_path: Path) -> None:
    assert list(processor_quotas(tmp_path / "none", tmp_path)) == []


@pytest.fixture
def group_of_half_a_processor() -> Iterator[Path]:
    """Make a control group of this machine, where this user may."""
    group = GROUPS_OF_THIS_MACHINE / f"cellfeat-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("50000")
    except OSError:
        pytest.skip("this user cannot make control groups of version 1 here")
    yield group
    group.rmdir()


@pytest.mark.slow
@pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2 if hasattr(os, "sched_getaffinity") else True, reason="one processor"
)
def test_commands_start_no_more_threads_than_the_quota_allows(group_of_half_a_processor: Path) -> None:
    join = f"import os; open({str(group_of_half_a_processor / 'cgroup.procs')!r}, 'w').write(str(os.getpid())); "
    count = (
        "import cellfeat.commands, torch, cellfeat.processors as p; "
        "print(torch.get_num_threads(), p.usable_processors())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", join + count], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["1", "1"]
