"""Format `npz`: NumPy arrays with all views, none of them pickled."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.interop.exports.contents import Contents
from cellfeat.interop.exports.names import unique_names


def write_npz(contents: Contents, path: Path) -> None:
    """Write the arrays; ``np.load(path)`` reads them without ``allow_pickle``.

    Parameters
    ----------
    contents
        What is exported.
    path
        The file.
    """
    with path.open("wb") as file:
        # An open file, because a path would get the suffix .npz.
        np.savez(file, **arrays_of(contents))  # type: ignore[arg-type]


def arrays_of(contents: Contents) -> dict[str, NDArray[Any]]:
    """Collect the arrays by name, a row for each sample in those of samples: shape ``(n_samples, ...)``."""
    arrays: dict[str, NDArray[Any]] = {
        "embeddings": contents.embeddings,
        "feature_names": np.array(contents.feature_names),
        "sample_id": contents.samples.ids,
        "label": contents.labels,
        "group": contents.samples.groups,
        "cellfeat": np.array(json.dumps(contents.record())),
    }
    if contents.folds is not None:
        arrays["fold"] = contents.folds
    for name, found in zip(unique_names(contents.heads), contents.heads.values(), strict=True):
        arrays |= {
            f"{name}_predicted": found.predicted,
            f"{name}_proba": found.probabilities,
            f"{name}_classes": np.array(found.classes),
        }
    further = contents.further_columns
    # With a prefix: np.savez has a parameter called `file`.
    names = unique_names((f"column_{name}" for name in further), arrays)
    return arrays | dict(zip(names, further.values(), strict=True))
