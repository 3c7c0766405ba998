"""What an audit joined, kept beside the feature file: copies and near copies stay together from then on.

The manifest's groups are no part of it: they may be corrected, or others asked for, and near copies stay near copies.

The record names the samples that were audited by a digest of their ids and pixels. Once samples have come, gone or
changed it says nothing any more, and counts as absent. It is JSON: nothing in it is run.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.extraction.store import Features
from cellfeat.provenance import canonical_json, digest_json, publish
from cellfeat.types import Strings

FORMAT = 2


def audited_path(features: Path) -> Path:
    """Name the record of a feature file's audit: ``cells.audit.json`` beside ``cells.h5``."""
    return features.with_suffix(".audit.json")


def save_audited(features: Features, group: Strings) -> Path:
    """Keep the groups that an audit joined: copies and near copies.

    Parameters
    ----------
    group
        Name of each sample's group, shape ``(n_samples,)``.

    Returns
    -------
    Path
        The record.
    """
    path = audited_path(features.path)
    record = {"format": FORMAT, "samples": _samples_digest(features), "group": group.tolist()}
    with publish(path) as temporary:
        temporary.write_text(canonical_json(record), encoding="utf-8")
    return path


def audited_groups(features: Features) -> Strings | None:
    """Find the groups of copies and near copies that an audit of exactly these samples joined.

    Returns
    -------
    ndarray of shape (n_samples,), or None
        None where there is no record, or one of other samples.

    Raises
    ------
    SplitError
        If there is a record that cannot be read: folds without it would tear near copies apart in silence.
    """
    path = audited_path(features.path)
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise SplitError(
            f"{path}: cannot be read as the record of an audit: {error}; audit again, or remove it"
        ) from None
    if not _is_record(record):
        raise SplitError(f"{path}: is no record of an audit in format {FORMAT}; audit again, or remove it")
    if record["samples"] != _samples_digest(features) or len(record["group"]) != len(features):
        return None
    return np.array(record["group"], dtype=str)


def _is_record(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and record.get("format") == FORMAT
        and isinstance(record.get("group"), list)
        and all(isinstance(name, str) for name in record["group"])
    )


def _samples_digest(features: Features) -> str:
    return digest_json([features.samples.ids.tolist(), features.samples.digests.tolist()])
