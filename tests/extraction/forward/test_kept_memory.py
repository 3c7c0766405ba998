"""Freed memory stays with the process while an extraction runs."""

import platform
import resource
import subprocess
import sys
import textwrap

import pytest

from cellfeat.extraction.forward import kept_memory
from cellfeat.extraction.forward.kept_memory import freed_memory_kept

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is an option of the GNU C library")

COUNT_FAULTS = textwrap.dedent(
    """
    import ctypes, resource, sys
    from contextlib import nullcontext
    from cellfeat.extraction.forward.kept_memory import freed_memory_kept

    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]

    def use(n_bytes):
        block = libc.malloc(n_bytes)
        ctypes.memset(block, 1, n_bytes)
        libc.free(block)

    def memory():
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

    with freed_memory_kept() if sys.argv[1] == "kept" else nullcontext():
        use(80_000_000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            use(80_000_000)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    print(memory())
    """
)


def faults_and_memory(word: str) -> tuple[int, int]:
    """Faults of five uses of 80 MB, and the memory of the process after the block."""
    output = subprocess.run([sys.executable, "-c", COUNT_FAULTS, word], capture_output=True, text=True, check=True)
    faults, memory = map(int, output.stdout.split())
    return faults, memory


@pytest.mark.slow
@needs_glibc
def test_memory_is_cleared_once_and_given_back() -> None:
    pages = 80_000_000 // resource.getpagesize()
    usual, kept = faults_and_memory("usual"), faults_and_memory("kept")
    assert kept[0] < pages / 10
    assert usual[0] > 10 * kept[0]
    assert kept[1] < usual[1] + 40_000_000


@needs_glibc
def test_the_last_of_nested_blocks_gives_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(kept_memory, "_mallopt", lambda: lambda *call: calls.append(call))
    with freed_memory_kept():
        with freed_memory_kept():
            pass
        n_inside = len(calls)
        assert n_inside == 4
    assert len(calls) == n_inside + 2


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with freed_memory_kept():
        assert kept_memory._mallopt() is None
