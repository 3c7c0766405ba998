"""One process writes an output at a time; the only user of filelock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cellfeat.errors import BusyError
from cellfeat.extraction.store.lease import describe_holder, recorded_holder
from cellfeat.provenance import explained_errors


@contextmanager
def held_output(output: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Lock `output` against every other process while the block runs.

    The operating system releases the lock when the process dies, so a dead run never blocks. For hosts that cannot see
    each other's locks, see `cellfeat.extraction.store.lease`.

    Parameters
    ----------
    output
        The feature file.
    say
        Called with a line when another host's run must be watched first.

    Raises
    ------
    BusyError
        If another process is writing the output; the message says which, and since when.
    WriteError
        If the folder cannot be written to.
    """
    lock_path = output.with_name(f".{output.name}.lock")
    lock = FileLock(lock_path)
    try:
        with explained_errors(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"{output}: another run is writing it ({describe_holder(output)}); wait for it, or stop it, "
            f"or choose another --output"
        ) from None
    try:
        with recorded_holder(output, say):
            yield
    finally:
        # Removed while still locked: a process that opened it meanwhile finds a file without a name and tries again.
        with suppress(OSError):  # removed, or on a disk that has become read-only
            lock_path.unlink()
        lock.release()
