"""The duplicate groups that an audit found, kept beside the feature file: every later split keeps them together.

The manifest's groups are not part of the record: they may be corrected, and near copies remain near copies.

The record identifies the audited samples by a digest of their ids and pixels. Once samples were added, removed or
changed, it no longer applies, and counts as missing.
"""

import json
from dataclasses import dataclass

import numpy as np

from cellfeat.errors import RecordError, SplitError
from cellfeat.extraction.store import Features
from cellfeat.records import parse_record, seal
from cellfeat.storage.opening import open_storage
from cellfeat.storage.publishing import publish_at
from cellfeat.storage.url import Location
from cellfeat.types import Strings

FORMAT = 3
_WAY_OUT = "run `cellfeat audit` again"


@dataclass(frozen=True)
class _Record:
    """The file: its format, the digest of the samples, and the name of each sample's group."""

    format: int
    samples: str
    group: list[str]


def audited_path(features: Location) -> Location:
    """Name the record of a feature file's audit: ``cells.audit.json`` beside ``cells.h5``."""
    return features.with_name(f"{features.stem}.audit.json")


def save_audited(features: Features, group: Strings) -> Location:
    """Keep the groups of copies and near copies that an audit found.

    Parameters
    ----------
    features
        The audited features.
    group
        Name of each sample's group, shape ``(n_samples,)``.

    Returns
    -------
    Path or Url
        The record.
    """
    path = audited_path(features.path)
    record = seal({"format": FORMAT, "samples": features.samples.digest, "group": group.tolist()})
    with publish_at(path) as temporary:
        temporary.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    return path


def audited_groups(features: Features) -> Strings | None:
    """Find the groups of copies and near copies that an audit of exactly these samples found.

    Returns
    -------
    ndarray of shape (n_samples,), or None
        None where there is no record, or one of other samples.

    Raises
    ------
    SplitError
        If the record cannot be read: folds without it could separate near copies.
    """
    path = audited_path(features.path)
    try:
        content = open_storage(path.parent).read(path.name)
        if content is None:
            return None
        record = parse_record(content, _Record)
    except (OSError, RecordError) as error:
        raise SplitError(f"{path}: cannot be read as the record of an audit: {error}; {_WAY_OUT}") from None
    if record.format != FORMAT:
        raise SplitError(f"{path}: the record of an audit in format {record.format}, expected {FORMAT}; {_WAY_OUT}")
    if record.samples != features.samples.digest or len(record.group) != len(features):
        return None
    return np.array(record.group, dtype=str)
