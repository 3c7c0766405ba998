"""The files of a data set, with their digests, as `croissant` and `ro-crate` describe them."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellfeat.errors import MissingFileError
from cellfeat.extraction.store import local_file
from cellfeat.interop.exports.contents import Contents
from cellfeat.provenance import digest_file
from cellfeat.saved_results.files import COMPARISON_FILE, METRICS_FILE, PREDICTIONS_FILE
from cellfeat.storage.url import Url
from cellfeat.text import first_ten

HDF5, PARQUET, JSON = "application/x-hdf5", "application/x-parquet", "application/json"


@dataclass(frozen=True)
class DescribedFile:
    """A file of the data set.

    Attributes
    ----------
    name
        Its name.
    size
        Its bytes.
    url
        Its address, or where it is relative to the folder of the description.
    media_type
        Its type.
    sha256
        Digest of its bytes in hex.
    description
        What it holds.
    """

    name: str
    size: int
    url: str
    media_type: str
    sha256: str
    description: str


def described_files(contents: Contents, folder: Path) -> list[DescribedFile]:
    """Describe the feature file and, with results, their files.

    Parameters
    ----------
    contents
        What is exported.
    folder
        Folder of the description.

    Raises
    ------
    MissingFileError
        If the features are not in a file.
    """
    features = contents.path
    if isinstance(features, Path) and not features.is_file():
        raise MissingFileError(
            f"{contents.path} does not exist: a description is made of a feature file with its digest"
        )
    found = [
        (local_file(features), HDF5, "Embeddings of cell images, labels, groups and file properties (cellfeat, HDF5)")
    ]
    if contents.results is not None and contents.results.folder is not None:
        results = contents.results.folder
        found.append((results / PREDICTIONS_FILE, PARQUET, "Predictions of each head"))
        records = [results / name for name in (COMPARISON_FILE, METRICS_FILE) if (results / name).is_file()]
        found += [(path, JSON, "Scores with intervals, and how they were made") for path in records]
    files = [_described(path, folder, kind, text) for path, kind, text in found]
    if isinstance(features, Url):
        files[0] = replace(files[0], name=features.name, url=str(features))
    return files


def _described(path: Path, folder: Path, kind: str, text: str) -> DescribedFile:
    digest = digest_file(path).removeprefix("sha256:")
    return DescribedFile(path.name, path.stat().st_size, _relative(path, folder), kind, digest, text)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive, on Windows
        return path.resolve().as_uri()


def class_counts(contents: Contents) -> dict[str, int]:
    """Number of readable samples of each class, largest first."""
    return dict(Counter(label for label in contents.labels.tolist() if label).most_common())


def description_of(contents: Contents) -> str:
    """Describe the data set in a few sentences."""
    backbone = contents.recipe.get("backbone")
    name = backbone.get("name", "unknown") if isinstance(backbone, dict) else "unknown"
    counts = class_counts(contents)
    n_groups = len({*contents.samples.groups.tolist()} - {""})
    classes = first_ten(f"{label} ({count})" for label, count in counts.items())
    return " ".join(
        [
            f"Embeddings of {len(contents):,} cell images, {contents.embeddings.shape[2]} numbers each, by {name}.",
            f"{len(counts)} classes: {classes}." if counts else "The samples have no labels.",
            f"{n_groups:,} groups." if n_groups else "",
            f"{len(contents.failed)} further samples could not be read." if contents.failed else "",
        ]
    ).strip()


def write_description(record: Mapping[str, Any], path: Path) -> None:
    """Write a description as JSON.

    Parameters
    ----------
    record
        The description.
    path
        The file.
    """
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
