"""One process writes an output at a time; the only user of filelock."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cellfeat.errors import BusyError
from cellfeat.provenance import utc_now


@contextmanager
def held_output(output: Path) -> Iterator[None]:
    """Hold `output` against every other process while the block runs.

    The operating system holds the lock and lets go of it when the process dies, so a dead holder never blocks.

    Raises
    ------
    BusyError
        If another process holds it; the message says which, and since when.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    lock_path, holder_path = (output.with_name(f".{output.name}.{end}") for end in ("lock", "holder"))
    lock = FileLock(lock_path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"{output}: another run is writing it ({_describe_holder(holder_path)}); wait for it, or stop it, "
            f"or choose another --output"
        ) from None
    try:
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": utc_now()}
        holder_path.write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        holder_path.unlink(missing_ok=True)
        # Unlinked while still held: whoever opened it meanwhile finds a file without a name and tries again.
        lock_path.unlink(missing_ok=True)
        lock.release()


def _describe_holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"host {holder['host']}, pid {holder['pid']}, since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not yet said who it is"
