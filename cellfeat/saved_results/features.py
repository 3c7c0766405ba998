"""The feature file that results belong to, found through the record in their folder."""

from pathlib import Path

from cellfeat.errors import MissingFileError, RecordError
from cellfeat.extraction.store import Features, load_features
from cellfeat.saved_results.files import SAMPLES_FILE
from cellfeat.saved_results.samples_record import SamplesRecord, read_samples_record
from cellfeat.storage.url import Location, Url, as_location

_WAY_OUT = "say where the feature file is: --features FILE"


def features_of(folder: Path) -> Features:
    """Load the feature file that a folder of results names.

    A path that is relative is looked for from the current folder, and then from each folder above the results: it was
    written where `compare` ran.

    Raises
    ------
    MissingFileError
        If nothing names a feature file, or it is not there any more.
    RecordError
        If the record is damaged.
    FeatureFileError
        If the feature file is damaged.
    """
    record = _record(folder)
    if record is None:
        raise MissingFileError(
            f"{folder / SAMPLES_FILE} does not exist: nothing says of which samples the results are; {_WAY_OUT}"
        )
    location = _location(folder, record.source)
    if isinstance(location, Path) and location.is_dir():
        raise MissingFileError(f"{folder}: holds the audit of a folder of images, {record.source}; {_WAY_OUT}")
    return load_features(location)


def features_or_images_of(folder: Path) -> Features | None:
    """Load the feature file that a folder of results names; None for the audit of a folder of images.

    Raises
    ------
    MissingFileError, RecordError, FeatureFileError
        As `features_of`; but where nothing names a feature file, the answer is None.
    """
    record = _record(folder)
    if record is None:
        return None
    location = _location(folder, record.source)
    return None if isinstance(location, Path) and location.is_dir() else load_features(location)


def _record(folder: Path) -> SamplesRecord | None:
    # The folder of a saved head or of an audit may lie in that of the comparison.
    try:
        return read_samples_record(folder) or read_samples_record(folder.parent)
    except RecordError as error:
        raise RecordError(f"{error}, or {_WAY_OUT}") from None


def _location(folder: Path, source: str) -> Location:
    location = as_location(source)
    if isinstance(location, Url):
        return location
    above = () if location.is_absolute() else folder.resolve().parents
    for path in (location, *(one / location for one in above)):
        if path.exists():
            return path
    raise MissingFileError(f"{folder}: its results are of {source}, which is not there any more; {_WAY_OUT}")
