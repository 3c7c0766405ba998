"""Memory that a forward frees stays with the process, so that the next forward need not ask the system for it again.

The GNU C library gives freed blocks of 32 MB and more back to the system at once, and so does it with 64 MB at the end
of its heap. Maps of a batch at 224 pixels are larger: each forward would have the system clear its memory anew, page by
page, which was measured to take a third to a half of the time of a small network.
"""

import ctypes
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Parameters of mallopt(3), from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 2**30
"""Blocks below this many bytes are kept."""
_USUAL_MMAP = 32 * 2**20
"""What the library's own threshold grows to on 64-bit systems: DEFAULT_MMAP_THRESHOLD_MAX in its malloc.c."""
_NEVER = 2**31 - 1

_lock = threading.Lock()
_n_inside = 0


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory inside the block, and give it back to the system after it.

    Blocks may be nested, and used by several threads: the last one that ends gives the memory back. Without the GNU C
    library it does nothing.
    """
    global _n_inside
    set_option = _mallopt()
    if set_option is None:
        yield
        return
    with _lock:
        _n_inside += 1
        set_option(_M_MMAP_THRESHOLD, _KEPT)
        set_option(_M_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                set_option(_M_MMAP_THRESHOLD, _USUAL_MMAP)
                set_option(_M_TRIM_THRESHOLD, 2 * _USUAL_MMAP)
                ctypes.CDLL(None).malloc_trim(0)


def _mallopt() -> Callable[[int, int], int] | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    # Another allocator may have replaced that of the C library; its mallopt, if any, does no harm.
    return getattr(ctypes.CDLL(None), "mallopt", None)
