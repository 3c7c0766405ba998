"""Which samples the results in a folder are of: ``samples.json``."""

from dataclasses import dataclass
from pathlib import Path

from cellfeat.errors import ManifestError, MissingFileError, RecordError
from cellfeat.extraction.store import Features
from cellfeat.records import parse_record
from cellfeat.saved_results.files import SAMPLES_FILE


@dataclass(frozen=True)
class SamplesRecord:
    """The content of ``samples.json``.

    Attributes
    ----------
    format
        Version of the file.
    samples
        Digest of the samples: see `cellfeat.extraction.store.Samples.digest`.
    n_samples
        Number of samples.
    source
        The feature file, or the folder of images.
    """

    format: int
    samples: str
    n_samples: int
    source: str


def read_samples_record(folder: Path) -> SamplesRecord | None:
    """Read which samples the results in a folder are of; None where nothing says so.

    Raises
    ------
    RecordError
        If the record is damaged.
    """
    path = folder / SAMPLES_FILE
    if not path.is_file():
        return None
    try:
        return parse_record(path.read_bytes(), SamplesRecord)
    except RecordError as error:
        raise RecordError(f"{path}: {error}; compare again") from None


def check_samples(folder: Path, features: Features) -> None:
    """Refuse results of other samples: ids such as 1, 2, 3 are the same in many data sets.

    Parameters
    ----------
    folder
        The folder of the results.
    features
        The samples.

    Raises
    ------
    MissingFileError
        If nothing says of which samples the results are.
    RecordError
        If the record of the samples is damaged.
    ManifestError
        If the results are of other samples.
    """
    recorded = read_samples_record(folder)
    if recorded is None:
        raise MissingFileError(
            f"{folder / SAMPLES_FILE} does not exist: nothing says of which samples the results are (cellfeat 0.1 did "
            "not record it); compare again"
        )
    if recorded.samples != features.samples.digest:
        raise ManifestError(
            f"{folder}: holds results of other samples ({recorded.n_samples} of {recorded.source}) than those of "
            f"{features.path} ({len(features)}); compare again, or name the results of these samples"
        )
