"""One process writes an output at a time; the only user of filelock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cellfeat.errors import BusyError, WriteError
from cellfeat.extraction.store.lease import describe_holder, recorded_holder
from cellfeat.extraction.store.unreadable import NO_LOCKS
from cellfeat.provenance import explained_errors, make_parent
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Location


@contextmanager
def held_output(output: Location, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Lock `output` against every other process while the block runs.

    Nothing locks an object store: there, files that are created only where there is none, and checksums of all parts,
    keep processes apart.

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
        If the folder cannot be written to, or its file system offers no locks.
    """
    if not isinstance(output, Path):
        open_storage(output).prepare()
        yield
        return
    try:
        with explained_errors(output):
            # Beside the file itself: two links to one file must not be written at once.
            target = make_parent(output)
            lock_path = target.with_name(f".{target.name}.lock")
            lock = FileLock(lock_path)
            lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"{output}: another run is writing it ({describe_holder(output)}); wait for it, or stop it, "
            f"or choose another --output"
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise WriteError(
            f"{output}: cannot be locked, its file system offers no locks: mount it with locks, or choose an --output "
            f"on another disk and copy the file afterwards"
        ) from error
    try:
        with recorded_holder(output, say):
            yield
    finally:
        # Removed while still locked: a process that opened it meanwhile finds a file without a name and tries again.
        with suppress(OSError):  # removed, or on a disk that has become read-only
            lock_path.unlink()
        lock.release()
