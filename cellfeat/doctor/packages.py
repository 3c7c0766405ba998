"""Which packages are installed, whether their versions fit, and whether they can be imported."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from cellfeat.doctor.findings import Finding
from cellfeat.text import first_line

IMPORTED = ("numpy", "torch", "torchvision", "h5py", "sklearn", "lightgbm", "imagecodecs", "openTSNE")
"""Packages with compiled parts, which can be installed and yet fail to load."""

IMPORT_SECONDS = 60
FOR_USERS = ("lite", "timm", "microscopes", "excel", "onnx", "skops", "cloud", "ray")
"""Extras that a user may want; the others are for those who change cellfeat, or are parts of these."""


def look_at_packages() -> Iterator[Finding]:
    """Yield what is wrong or absent among the packages, and one line where nothing is."""
    needed = [Requirement(line) for line in requires("cellfeat") or []]
    basis = [one for one in needed if _is_meant(one, extra="")]
    wrong = [finding for one in basis if (finding := _misfit(one)) is not None]
    yield from wrong
    if not wrong:
        yield Finding("packages", f"{len(basis)} of {len(basis)} in versions that fit")
    for extra in FOR_USERS:
        yield _look_at_extra(extra, [one for one in needed if not _is_meant(one, "") and _is_meant(one, extra)])


def look_at_imports() -> Iterator[Finding]:
    """Import packages with compiled parts, each in a process of its own: a crash must not end the others."""
    for name in IMPORTED:
        if problem := _import_problem(name):
            yield Finding(f"import {name}", problem, "problem", _advice_on_import(name, problem))


def _is_meant(requirement: Requirement, extra: str) -> bool:
    """Whether a requirement holds on this platform, with an extra or without."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _misfit(requirement: Requirement) -> Finding | None:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return Finding(requirement.name, "not installed", "problem", f"pip install '{_plain(requirement)}'")
    # A build such as 2.14.1+cpu is the version 2.14.1.
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    return Finding(
        requirement.name, f"{installed}; cellfeat needs {requirement.specifier}", "problem",
        f"pip install '{_plain(requirement)}'",
    )  # fmt: skip


def _plain(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"


def _look_at_extra(extra: str, requirements: list[Requirement]) -> Finding:
    wrong = [finding for one in requirements if (finding := _misfit(one)) is not None]
    if not wrong:
        return Finding(f"extra {extra}", "installed")
    found = "; ".join(f"{one.topic} {one.found}" for one in wrong)
    return Finding(f"extra {extra}", found, "note", f"pip install 'cellfeat[{extra}]'")


def _import_problem(name: str) -> str:
    command = [sys.executable, "-c", f"import {name}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"took more than {IMPORT_SECONDS} s"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    lines = done.stderr.strip().splitlines()
    return first_line(ImportError(lines[-1])) if lines else f"exit code {done.returncode}"


def _advice_on_import(name: str, problem: str) -> str:
    if name == "torchvision" and re.search(r"nms|undefined symbol", problem):
        return "torch and torchvision are of different releases: install both again in one command"
    if name == "lightgbm" and "libomp" in problem:
        return "install OpenMP: brew install libomp"
    if name == "lightgbm" and "libgomp" in problem:
        return "install OpenMP: apt-get install libgomp1, or your system's package of that name"
    if "numpy" in problem.lower() and "binary" in problem.lower():
        return f"{name} was built for another numpy: install both again in one command"
    return f"install it again: pip install --force-reinstall {'scikit-learn' if name == 'sklearn' else name}"
