"""A file beside an output that names the run writing it, and shows other hosts that it is alive.

On one host, and on a shared folder whose file system supports locks between hosts, the lock decides and this file only
informs. Where locks end at the host (NFS mounted with ``nolock`` or ``local_lock``), a file that another host left is
watched: while it changes, that run is alive; when it has not changed for `SECONDS_OF_SILENCE`, that run is dead, and
this one takes its place.

`filelock.SoftFileLease` does much of this. It was tried and rejected for three reasons. It never takes over an empty
file, which a loss of power leaves. It measures silence by the clock: if the disk stalls for longer than the lease, it
takes over a live run whose signs of life the stall has delayed, too (here, the number of looks counts, not the time).
Its record lacks the time since when a run has been writing.
"""

import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from glob import escape
from itertools import count
from pathlib import Path
from uuid import uuid4

from cellfeat.errors import BusyError
from cellfeat.provenance import explained_errors, link_target, utc_now

SECONDS_BETWEEN_SIGNS = 5.0
SECONDS_OF_SILENCE = 30.0
SECONDS_TO_SETTLE = 2.0
"""The longest time that another host, taking over the same dead run, needs from its last look to writing its own file;
and that any run needs to fill the file that it created."""


@dataclass(frozen=True)
class _Holder:
    """A process that writes an output; `sign` increases while it lives."""

    host: str = field(default_factory=lambda: socket.gethostname())
    pid: int = field(default_factory=os.getpid)
    since: str = field(default_factory=utc_now)
    name: str = field(default_factory=lambda: uuid4().hex)
    sign: int = 0

    def __str__(self) -> str:
        return f"host {self.host}, pid {self.pid}, since {self.since}"


def describe_holder(output: Path) -> str:
    """Name the run that writes an output: host, process and since when."""
    return str(_parsed(_seen(_path(output))) or "it has not yet recorded its name")


@contextmanager
def recorded_holder(output: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Record beside `output` that this process writes it, and give signs of life while the block runs.

    Parameters
    ----------
    output
        The feature file.
    say
        Called with a line when another host's run is watched for signs of life.

    Raises
    ------
    BusyError
        If another host's run is alive.
    WriteError
        If the folder cannot be written to.
    """
    path, me = _path(output), _Holder()
    with explained_errors(output):
        _take_hold(output, me, say)
    end = threading.Event()
    signs = threading.Thread(target=_give_signs, args=(path, me, end), name="signs", daemon=True)
    signs.start()
    try:
        yield
    finally:
        end.set()
        signs.join()
        with suppress(OSError):  # removed, or on a disk that has become read-only
            _let_go(path, me)


def _take_hold(output: Path, me: _Holder, say: Callable[[str], None]) -> None:
    path = _path(output)
    while not _create(path, me):
        seen = _seen(path)
        other = _parsed(seen)
        if other is not None and other.host == me.host:
            _write(path, me)  # a live run of this host would have the lock
            return
        say(f"{path} was left by another run ({other or 'unreadable'}): watching whether it is still running")
        if _is_silent(output, seen) and _took_over(path, seen, me):
            return


def _let_go(path: Path, me: _Holder) -> None:
    if _is_mine(path, me):
        path.unlink(missing_ok=True)
    for orphan in path.parent.glob(f"{escape(path.name)}.*"):  # of a run that was killed while it wrote
        orphan.unlink(missing_ok=True)


def _path(output: Path) -> Path:
    target = link_target(output)
    return target.with_name(f".{target.name}.holder")


def _is_silent(output: Path, before: bytes | None) -> bool:
    """Whether the other run shows no sign of life; False where its file is gone by now."""
    # A live run has filled its file by then; a loss of power leaves an empty one.
    seconds = SECONDS_OF_SILENCE if _parsed(before) else SECONDS_TO_SETTLE
    # Looks are counted, not seconds of the clock: a disk that stalls delays both runs.
    n_looks = math.ceil(seconds / (SECONDS_BETWEEN_SIGNS / 5))
    for _ in range(n_looks):
        time.sleep(seconds / n_looks)
        seen = _seen(_path(output))
        if seen is None:
            return False
        if seen != before:
            raise BusyError(
                f"{output}: another run is writing it ({_parsed(seen) or 'unreadable'}); wait for it, or stop it, or "
                f"choose another --output"
            )
    return True


def _took_over(path: Path, before: bytes | None, me: _Holder) -> bool:
    """Take a dead run's place; False where a third run was faster."""
    if _seen(path) != before:
        return False
    _write(path, me)
    # Several hosts may get this far at once. The last to write keeps the lease; the others read its name here.
    time.sleep(SECONDS_TO_SETTLE)
    return _is_mine(path, me)


def _give_signs(path: Path, me: _Holder, end: threading.Event) -> None:
    for sign in count(1):
        if end.wait(SECONDS_BETWEEN_SIGNS):
            return
        with suppress(OSError):  # a full disk is reported by larger writes
            # A run that was suspended may have lost its place, and must not write over its successor's sign.
            if _is_mine(path, me):
                _write(path, replace(me, sign=sign))


def _is_mine(path: Path, me: _Holder) -> bool:
    found = _parsed(_seen(path))
    return found is not None and found.name == me.name


def _seen(path: Path) -> bytes | None:
    """Read the file; None where it is missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _parsed(content: bytes | None) -> _Holder | None:
    try:
        return _Holder(**json.loads(content or b""))
    except (ValueError, TypeError):
        return None


def _create(path: Path, me: _Holder) -> bool:
    """Write the file unless it exists: of two runs that try, one succeeds."""
    try:
        file = path.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(_written(me))
    except OSError:
        path.unlink()  # the next run would watch an empty file
        raise
    return True


def _write(path: Path, me: _Holder) -> None:
    # Replaced in one step, so that no host reads half a record.
    temporary = path.with_name(f"{path.name}.{me.name}")
    temporary.write_bytes(_written(me))
    temporary.replace(path)


def _written(me: _Holder) -> bytes:
    return json.dumps(vars(me)).encode()
