"""Processes that plan, make shares, consolidate and extract at the same time, and may be killed."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from cellfeat.config import Settings

LAUNCHER = """
import errno, json, os, signal, sys, tempfile, time, traceback
from cellfeat.config import Settings
from cellfeat.errors import CellfeatError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.shares.consolidation import consolidate
from cellfeat.extraction.shares.planning import plan_extraction
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.shares.worker import extract_share
import torchvision.models  # once, and not in each process

settings = Settings.model_validate_json(sys.argv[1])
if sys.argv[2] == "no links":
    def no_links(*_):
        raise OSError(errno.EPERM, "this file system has no hard links")
    os.link = no_links

ROLES = {"plan": plan_extraction, "consolidate": consolidate, "extract": extract}

def play(role, told):
    code = 3
    try:
        if role in ROLES:
            ROLES[role](settings)
        else:
            extract_share(settings, Share.parse(role))
        code = 0
    except CellfeatError as error:
        os.write(told, f"{type(error).__name__}: {error}".encode())
        code = 1
    except BaseException:
        os.write(told, traceback.format_exc().encode())
    finally:
        os._exit(code)

def start(role):
    told = tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        play(role, told.fileno())
    return pid, told

for line in sys.stdin:
    roles, delays = json.loads(line)
    began = time.monotonic()
    running = [start(role) for role in roles]
    for delay, pid in sorted((delay, pid) for delay, (pid, _) in zip(delays, running) if delay is not None):
        time.sleep(max(0, began + delay - time.monotonic()))
        os.kill(pid, signal.SIGKILL)  # not waited for yet, so the id is still its own
    endings = []
    for pid, told in running:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        told.seek(0)
        endings.append([status, told.read().decode()])
    print(json.dumps(endings), flush=True)
"""
KILLED = -9


class Ending(NamedTuple):
    """How a process ended: its exit code (`KILLED`; 1 after an error of cellfeat; 3 after another), and the error."""

    code: int
    error: str


class Roles:
    """Starts processes as forks, so that torch is imported only once."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def play(self, *roles: str, kills: Sequence[float | None] = ()) -> list[Ending]:
        """Run ``"plan"``, ``"consolidate"``, ``"extract"`` and shares such as ``"0/3"`` at the same time.

        Parameters
        ----------
        roles
            What each process does.
        kills
            After how many seconds each process is killed; None: never.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        delays = [*kills, *[None] * (len(roles) - len(kills))]
        self._process.stdin.write(json.dumps([roles, delays]) + "\n")
        self._process.stdin.flush()
        return [Ending(*ending) for ending in json.loads(self._process.stdout.readline())]


@contextmanager
def roles_of(settings: Settings, links: str = "links") -> Iterator[Roles]:
    """Start what forks the processes.

    Parameters
    ----------
    settings
        Of all processes.
    links
        ``"no links"``: on a file system without hard links.
    """
    command = [sys.executable, "-c", LAUNCHER, settings.model_dump_json(), links]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Roles(process)
