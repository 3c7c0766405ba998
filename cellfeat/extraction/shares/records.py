"""What each share says about itself, beside the parts: who makes it, and how it ended."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from cellfeat.errors import RecordError
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.store.header import RECORD
from cellfeat.provenance import utc_now
from cellfeat.records import parse_record, seal
from cellfeat.storage.base import Storage

_PREFIX = "share-"


@dataclass(frozen=True)
class ShareRecord:
    """A share, and the last process that made it.

    Attributes
    ----------
    index, count
        The share.
    host, pid
        The process.
    started, ended
        When, in UTC; `ended` is ``""`` while it runs, and after it was killed.
    error
        Why it ended without all of its parts; ``""`` if it did not.
    """

    index: int
    count: int
    host: str
    pid: int
    started: str
    ended: str = ""
    error: str = ""

    @property
    def share(self) -> Share:
        """The share."""
        return Share(self.index, self.count)

    def __str__(self) -> str:
        how = f"failed: {self.error}" if self.error else f"ended {self.ended}" if self.ended else "has not ended"
        return f"share {self.share} on {self.host} (pid {self.pid}, since {self.started}) {how}"


@contextmanager
def recorded_share(storage: Storage, share: Share, host: str) -> Iterator[None]:
    """Record who makes a share while the block runs, and how it ended.

    Parameters
    ----------
    storage
        Where the parts lie.
    share
        The share.
    host
        The name of this machine.
    """
    record = ShareRecord(share.index, share.count, host, os.getpid(), utc_now())
    _write(storage, record)
    try:
        yield
    # Ctrl-C and SIGTERM are not subclasses of Exception.
    except BaseException as error:
        # A disk that is full, or a folder that was removed, is what the error says already.
        with suppress(OSError):
            _write(storage, replace(record, ended=utc_now(), error=str(error) or type(error).__name__))
        raise
    _write(storage, replace(record, ended=utc_now()))


def share_records(storage: Storage) -> list[ShareRecord]:
    """List the shares that were begun."""
    return [record for name, _ in storage.sizes(_PREFIX) if (record := _parsed(storage.read(name))) is not None]


def _write(storage: Storage, record: ShareRecord) -> None:
    content: dict[str, Any] = seal(asdict(record))
    if storage.read(RECORD) is not None:  # consolidated by another process, and removed
        storage.replace(f"{_PREFIX}{record.index}-of-{record.count}.json", json.dumps(content).encode())


def _parsed(content: bytes | None) -> ShareRecord | None:
    try:
        return None if content is None else parse_record(content, ShareRecord)
    except RecordError:
        return None
