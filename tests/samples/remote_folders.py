"""Folders put on an object store, and storage that gives up soon, for tests of images at an address."""

from pathlib import Path

import pytest

from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.retries import RetryPolicy
from cellfeat.storage.url import Url

SOON = RetryPolicy(tries=2, seconds=5, first_wait=0.01, longest_wait=0.01)
"""As much patience as a test has."""


def upload(folder: Path, address: str) -> str:
    """Put all files of a folder under an address, and return this."""
    storage = ObjectStorage(Url.parse(address))
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            storage.replace(file.relative_to(folder).as_posix(), file.read_bytes())
    return address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage that gives up after two tries."""
    monkeypatch.setattr(ObjectStorage.__init__, "__defaults__", (SOON,))
