"""Maps on disk, beside the feature file: coordinates, and what places new samples among them."""

import json
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.extraction.store import Features, make_view_folder, view_folder
from cellfeat.provenance import publish
from cellfeat.types import Float32s

FORMAT = 1
_COMPONENTS = "components_"
# What NumPy, zipfile and JSON raise on damaged bytes.
_FAULTS = (
    OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError, ArithmeticError, MemoryError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes
    ----------
    coordinates
        Shape ``(n_samples, 2)``, float32.
    note
        What may be read from the map.
    components
        Arrays of the principal components by name; empty for a map without samples.
    reference
        Components of the samples that could be read, shape ``(n_read, n_components)``; None for PCA.
    """

    coordinates: Float32s
    note: str
    components: Mapping[str, NDArray[Any]]
    reference: Float32s | None


def map_file(folder: Path, method: str) -> Path:
    """Name the file of a map.

    Parameters
    ----------
    folder
        The folder of what shows a feature file's samples.
    method
        Name of the method.
    """
    return folder / f"map_{method}.npz"


def keep_map(features: Features, method: str, content: Content) -> Path:
    """Write a map, in place of an earlier one.

    Parameters
    ----------
    features
        The samples.
    method
        Name of the method.
    content
        The map.

    Raises
    ------
    DiskFullError, WriteError
        If it cannot be written.
    """
    path = map_file(make_view_folder(features), method)
    record = {"format": FORMAT, "fingerprint": features.fingerprint, "note": content.note}
    arrays: dict[str, Any] = {
        "record": np.frombuffer(json.dumps(record).encode(), np.uint8),
        "coordinates": content.coordinates,
        **{f"{_COMPONENTS}{name}": array for name, array in content.components.items()},
    }
    if content.reference is not None:
        arrays["reference"] = content.reference
    with publish(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return path


def kept_map(features: Features, method: str) -> Content | None:
    """Read a map of exactly these embeddings; None where there is none, or it is damaged: it is made again.

    Parameters
    ----------
    features
        The samples.
    method
        Name of the method.
    """
    try:
        with np.load(map_file(view_folder(features), method), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        record = json.loads(arrays["record"].tobytes())
        if (record["format"], record["fingerprint"]) != (FORMAT, features.fingerprint):
            return None
        coordinates, note = arrays["coordinates"], str(record["note"])
    except _FAULTS:
        return None
    components = {
        name.removeprefix(_COMPONENTS): array for name, array in arrays.items() if name.startswith(_COMPONENTS)
    }
    reference = arrays.get("reference")
    if not _fits(features, coordinates, components, reference):
        return None
    return Content(coordinates, note, components, reference)


def _fits(
    features: Features,
    coordinates: NDArray[Any],
    components: Mapping[str, NDArray[Any]],
    reference: NDArray[Any] | None,
) -> bool:
    """Whether the shapes are those of a map of these features."""
    if coordinates.shape != (len(features), 2) or coordinates.dtype != np.float32:
        return False
    if not components:
        return reference is None
    dim = features.embeddings.shape[2]
    mean, scale, axes, shares = (components.get(name) for name in ("mean", "scale", "axes", "shares"))
    if mean is None or scale is None or axes is None or shares is None:
        return False
    n_read = int(np.isfinite(coordinates[:, 0]).sum())
    is_reference = reference is None or reference.shape == (n_read, len(axes))
    return (mean.shape, scale.shape, axes.shape[1:], shares.shape) == ((dim,), (dim,), (dim,), (len(axes),)) and (
        is_reference
    )
