"""One process writes an output at a time; the only user of filelock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cellfeat.errors import BusyError
from cellfeat.extraction.store.lease import describe_holder, told_holder
from cellfeat.provenance import told_why_not


@contextmanager
def held_output(output: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold `output` against every other process while the block runs.

    The operating system holds the lock and lets go of it when the process dies, so a dead holder never blocks. What is
    done where it does not hold for other hosts, `cellfeat.extraction.store.lease` tells.

    Parameters
    ----------
    output
        The feature file to be.
    say
        Told when another host's run must be watched first.

    Raises
    ------
    BusyError
        If another process holds it; the message says which, and since when.
    WriteError
        If nothing can be written there.
    """
    lock_path = output.with_name(f".{output.name}.lock")
    lock = FileLock(lock_path)
    try:
        with told_why_not(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"{output}: another run is writing it ({describe_holder(output)}); wait for it, or stop it, "
            f"or choose another --output"
        ) from None
    try:
        with told_holder(output, say):
            yield
    finally:
        # Unlinked while still held: whoever opened it meanwhile finds a file without a name and tries again.
        with suppress(OSError):  # gone, or on a disk that has become read-only
            lock_path.unlink()
        lock.release()
