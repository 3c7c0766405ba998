"""A folder of results belongs to the samples that its ``samples.json`` names; results of others do not replace them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from cellfeat.errors import RecordError, WriteError
from cellfeat.extraction.store import Features
from cellfeat.provenance import publish
from cellfeat.records import seal
from cellfeat.saved_results.files import SAMPLES_FILE
from cellfeat.saved_results.samples_record import SamplesRecord, read_samples_record
from cellfeat.text import first_ten

FORMAT = 1
_WAY_OUT = "choose another --output (run: --set comparison.output=FOLDER), or replace them with --replace"


@dataclass(frozen=True)
class ResultsFolder:
    """A folder of results, and the samples that they are to be of.

    Attributes
    ----------
    path
        The folder.
    samples
        Digest of the samples: see `cellfeat.extraction.store.Samples.digest`.
    n_samples
        Number of samples.
    source
        The feature file, or the folder of images, for messages.
    earlier
        Digests of the samples that the same feature file held before its updates: results of these may be replaced.
    replaces
        Whether results of any samples may be replaced.
    """

    path: Path
    samples: str
    n_samples: int
    source: str
    earlier: tuple[str, ...] = ()
    replaces: bool = False

    @classmethod
    def of(cls, path: Path, features: Features, *, replaces: bool = False) -> Self:
        """Name the folder for results of a feature file.

        Parameters
        ----------
        path
            The folder.
        features
            The samples.
        replaces
            As in `ResultsFolder`.
        """
        earlier = tuple(map(str, features.provenance.get("earlier_samples", ())))
        return cls(path, features.samples.digest, len(features), str(features.path), earlier, replaces)

    def check(self, names: Iterable[str]) -> None:
        """Refuse to replace results of other samples.

        Parameters
        ----------
        names
            The files that are to be written there.

        Raises
        ------
        WriteError
            If the folder holds results of other samples, or files of these names and no record of their samples.
        """
        if self.replaces:
            return
        record = self._recorded()
        if record is not None and record.samples not in (self.samples, *self.earlier):
            raise WriteError(
                f"{self.path}: holds results of other samples ({record.n_samples} of {record.source}) than these "
                f"({self.n_samples} of {self.source}): {_WAY_OUT}"
            )
        present = [name for name in names if (self.path / name).exists()] if record is None else []
        if present:
            raise WriteError(
                f"{self.path}: holds {first_ten(present)}, and nothing there says of which samples (cellfeat 0.1 did "
                f"not record it): {_WAY_OUT}"
            )

    def record(self) -> None:
        """Record that the folder holds results of these samples.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        content = asdict(SamplesRecord(FORMAT, self.samples, self.n_samples, self.source))
        with publish(self.path / SAMPLES_FILE) as temporary:
            temporary.write_text(json.dumps(seal(content), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def _recorded(self) -> SamplesRecord | None:
        """The record in the folder; None where it is missing or cannot be read."""
        try:
            return read_samples_record(self.path)
        except (OSError, RecordError):
            return None
