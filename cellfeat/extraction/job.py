"""What an extraction is given, whom it tells, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cellfeat.config import Settings
from cellfeat.samples.manifest import Manifest
from cellfeat.samples.workers import Workers


class Observer(Protocol):
    """Is told how an extraction goes."""

    def say(self, line: str) -> None:
        """Take a line for the user."""

    def advance(self, n_done: int, n_samples: int) -> None:
        """Take the number of samples that are done, of all."""


class SilentObserver:
    """Says nothing: the default in Python."""

    def say(self, line: str) -> None:
        """Drop the line."""

    def advance(self, n_done: int, n_samples: int) -> None:
        """Drop the numbers."""


@dataclass(frozen=True)
class Job:
    """What one extraction is given.

    Attributes
    ----------
    settings
        The resolved settings.
    manifest
        The samples.
    request
        What the embeddings depend on, in the user's own terms.
    workers
        The processes that read the images.
    observer
        Is told how it goes.
    expected_recipe
        The only recipe that is wanted; None: any.
    """

    settings: Settings
    manifest: Manifest
    request: dict[str, Any]
    workers: Workers
    observer: Observer
    expected_recipe: Mapping[str, Any] | None = None

    @property
    def output(self) -> Path:
        """The feature file to be."""
        return self.settings.extraction.output


@dataclass(frozen=True)
class Extraction:
    """How an extraction ended.

    Attributes
    ----------
    path
        The feature file.
    n_samples, n_failed, n_extracted
        Samples in the file, those of them that could not be read, and those that this run worked on.
    seconds
        Of this run, from its first line to the published file.
    """

    path: Path
    n_samples: int
    n_failed: int
    n_extracted: int
    seconds: float
