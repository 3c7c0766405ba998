"""A Slurm cluster of one node, made of the distribution's programs, on ports and in a folder of its own."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel")
SYSTEM = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
N_CPUS, MAX_ARRAY = 4, 12
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL"}

CONFIG = """\
ClusterName=cellfeat
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
MpiDefault=none
ReturnToService=2
KillWait=5
MinJobAge=600
MaxArraySize={max_array}
NodeName={host} NodeAddr=127.0.0.1 CPUs={n_cpus} RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def missing_programs() -> list[str]:
    """The programs of Slurm and MUNGE that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=SYSTEM) is None]


class Cluster:
    """A running cluster.

    Attributes
    ----------
    environ
        The environment in which its commands find it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "PATH": SYSTEM, "SLURM_CONF": str(folder / "slurm.conf")}

    def ended(self, *arguments: str, cwd: Path, environ: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        environ = self.environ | environ
        return subprocess.run(arguments, cwd=cwd, env=environ, capture_output=True, text=True, check=False)

    def run(self, *arguments: str, cwd: Path, environ: Mapping[str, str] = {}) -> str:
        """Run a command that must succeed, and give what it prints."""
        ended = self.ended(*arguments, cwd=cwd, environ=environ)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def states(self, job: str) -> dict[str, str]:
        """State of each task of an array by its number."""
        shown = self.run("scontrol", "show", "job", "--oneliner", job, cwd=self.folder)
        fields = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in shown.splitlines()]
        return {task["ArrayTaskId"]: task["JobState"] for task in fields}

    def fields(self, job: str) -> dict[str, str]:
        """What Slurm says of one task of an array."""
        shown = self.run("scontrol", "show", "job", "--oneliner", job, cwd=self.folder)
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def wait(self, job: str, seconds: float = 400) -> dict[str, str]:
        """Wait until every task of an array has ended."""
        wait_until(lambda: set(self.states(job).values()) <= ENDED, seconds, lambda: f"{job}: {self.states(job)}")
        return self.states(job)

    def requeue(self, task: str) -> None:
        """Put a running task back into the queue, and let it start at once: by itself Slurm waits for two minutes."""
        self.run("scontrol", "requeue", task, cwd=self.folder)
        wait_until(lambda: self.fields(task)["JobState"] == "PENDING", 60, lambda: f"{task}: {self.fields(task)}")
        self.run("scontrol", "update", f"JobId={task}", "StartTime=now", cwd=self.folder)

    def log(self, job: str, task: int, cwd: Path) -> str:
        """What a task has printed."""
        return (cwd / f"slurm-{job}_{task}.out").read_text()


def wait_until(is_true: Callable[[], bool], seconds: float, describe: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.1)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Start a cluster, and end its processes with the block."""
    # Not in pytest's folder: the path of a socket may have some hundred letters.
    with TemporaryDirectory(prefix="slurm-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # MUNGE refuses a folder that others may write to, and slurmd runs jobs from it
        for place in ("state", "spool"):
            (folder / place).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        (folder / "slurm.conf").write_text(_config(folder))
        cluster = Cluster(folder)
        stack.enter_context(_process(cluster, "munged", _munged(folder)))
        wait_until((folder / "munge.socket").exists, 20, lambda: (folder / "munged.out").read_text())
        config = ["-D", "-f", str(folder / "slurm.conf")]
        for program in ("slurmctld", "slurmd"):
            stack.enter_context(_process(cluster, program, [program, *config]))
        wait_until(lambda: _is_idle(cluster), 60, lambda: _logs(folder))
        yield cluster


def _config(folder: Path) -> str:
    ports = {f"{name}_port": _free_port() for name in ("ctld", "slurmd")}
    host = socket.gethostname().partition(".")[0]
    return CONFIG.format(folder=folder, host=host, user=getpass.getuser(), n_cpus=N_CPUS, max_array=MAX_ARRAY, **ports)


def _munged(folder: Path) -> list[str]:
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    places = [f"--{option}={folder}/munge.{name}" for option, name in files.items()]
    return ["munged", "--foreground", "--force", "--num-threads=1", *places]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(cluster: Cluster, name: str, command: Sequence[str]) -> Iterator[None]:
    with (cluster.folder / f"{name}.out").open("w") as log:
        process = subprocess.Popen(command, env=cluster.environ, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_idle(cluster: Cluster) -> bool:
    asked = subprocess.run(
        ["sinfo", "--noheader", "--format=%t"], env=cluster.environ, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() == "idle"


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-2000:] for path in sorted(folder.glob("*.out")))
