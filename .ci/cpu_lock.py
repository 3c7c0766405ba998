"""Write requirements-cpu.lock: the lock without the packages of CUDA that PyTorch does not load on a processor.

    python .ci/cpu_lock.py

`.ci/lock` runs it after it has written requirements.lock. What is left out was found by removing each package and
importing PyTorch on a machine without a GPU (docs/studies/start-up.md); the other CUDA libraries are linked into
PyTorch, and it cannot be imported without them.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_LOADED = ("triton", "nvidia-cusolver", "nvidia-nvtx", "cuda-bindings", "cuda-pathfinder", "cuda-toolkit")
"""Packages that PyTorch's build for CUDA does not load where there is no GPU; cuda-toolkit holds no files."""
HEADER = """\
# Written by .ci/cpu_lock.py from requirements.lock, without {left_out}.
# Install with --no-deps, or pip would add them again:
#    pip install --no-deps --require-hashes --requirement requirements-cpu.lock
"""
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def cpu_lock(lock: str) -> str:
    """Give the text of requirements-cpu.lock.

    Parameters
    ----------
    lock
        The text of requirements.lock.
    """
    starts = [found.start() for found in _ENTRY.finditer(lock)]
    entries = [lock[start:end] for start, end in zip(starts, [*starts[1:], len(lock)], strict=True)]
    kept = [entry for entry in entries if _name(entry) not in NOT_LOADED]
    return HEADER.format(left_out=", ".join(NOT_LOADED)) + "".join(kept)


def _name(entry: str) -> str:
    return entry.partition("==")[0]


if __name__ == "__main__":
    text = cpu_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    (ROOT / "requirements-cpu.lock").write_text(text, encoding="utf-8")
