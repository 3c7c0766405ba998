"""The feature file that results belong to, found through the record in their folder."""

from pathlib import Path

from cellfeat.errors import MissingFileError, RecordError
from cellfeat.extraction.store import Features, load_features
from cellfeat.records import parse_json, unseal
from cellfeat.reporting.results_folder import SAMPLES_FILE
from cellfeat.storage.url import Location, Url, as_location


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
    return load_features(_location(folder))


def _location(folder: Path) -> Location:
    source = _source(folder)
    location = as_location(source)
    if isinstance(location, Url):
        return location
    tried = [location] if location.is_absolute() else [location, *(one / location for one in folder.resolve().parents)]
    for path in tried:
        if path.is_file():
            return path
    raise MissingFileError(
        f"{folder}: its results are of {source}, which is not there any more; say where the feature file is: "
        "--features FILE"
    )


def _source(folder: Path) -> str:
    # The folder of a saved head or of an audit may lie in that of the comparison.
    path = next((one / SAMPLES_FILE for one in (folder, folder.parent) if (one / SAMPLES_FILE).is_file()), None)
    if path is None:
        raise MissingFileError(
            f"{folder / SAMPLES_FILE} does not exist: nothing says of which samples the results are; say where the "
            "feature file is: --features FILE"
        )
    try:
        source = unseal(parse_json(path.read_bytes())).get("source")
    except RecordError as error:
        raise RecordError(f"{path}: {error}; compare again, or say: --features FILE") from None
    if not isinstance(source, str) or not source:
        raise RecordError(f"{path}: source: expected the path of a feature file; say where it is: --features FILE")
    return source
