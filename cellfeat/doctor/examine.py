"""All findings, in order: packages, imports, machine, self-test."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from cellfeat.doctor.findings import Finding
from cellfeat.doctor.packages import look_at_imports, look_at_packages


def examine() -> Iterator[Finding]:
    """Yield what is installed and what the machine is.

    Where a package cannot be imported, the machine is not looked at: that needs these packages.
    """
    try:
        yield Finding("cellfeat", version("cellfeat"))
        yield from look_at_packages()
    except PackageNotFoundError:
        yield Finding("cellfeat", "runs from a folder, and is not installed", "note", "in the clone: pip install -e .")
    unloadable = list(look_at_imports())
    yield from unloadable
    if not unloadable:
        from cellfeat.doctor.machine import look_at_machine

        yield from look_at_machine()


def self_test() -> Iterator[Finding]:
    """Run every step on small generated images, and yield a finding for each."""
    from cellfeat.doctor.self_test import run_self_test

    return run_self_test()
