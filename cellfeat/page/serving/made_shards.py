"""Shards that are made when a browser asks for them, each by one thread at a time, and kept for a while."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Mapping

from cellfeat.page.content import ShardMaker
from cellfeat.page.files.forms import shard_script

KEPT_BYTES = 64 * 2**20
"""Memory for scripts of shards that were asked for."""


class MadeShards:
    """Makes shards on demand; several readers who ask for one at once wait for the same.

    Parameters
    ----------
    shards
        What makes each shard, by its name.
    kept_bytes
        Memory for shards that were made.
    """

    def __init__(self, shards: Mapping[str, ShardMaker], kept_bytes: int = KEPT_BYTES) -> None:
        self._shards, self._most = shards, kept_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._making: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def script(self, name: str) -> bytes | None:
        """Give a shard as the script that the page loads; None where there is no shard of this name."""
        if name not in self._shards:
            return None
        with self._lock:
            making = self._making[name]
        with making:
            kept = self._find(name)
            if kept is None:
                kept = shard_script(name, self._shards[name]())
                self._keep(name, kept)
        return kept

    def _find(self, name: str) -> bytes | None:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def _keep(self, name: str, script: bytes) -> None:
        with self._lock:
            self._kept[name] = script
            self._size += len(script)
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
