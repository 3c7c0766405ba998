"""Embeddings that stay in their file: pages of it are read when a row is needed, and given up where memory is short."""

import os
from pathlib import Path

import h5py
import numpy as np

from cellfeat.types import Float32s

MAPPED_FROM = 1 << 30
"""Bytes of embeddings from which they are mapped. Smaller ones are read: they fit, and the file is free afterwards."""


def mapped_embeddings(file: h5py.File) -> Float32s | None:
    """Map the embeddings of a large feature file into memory.

    The array can be written to; changes stay in memory and never reach the file. A file that is replaced meanwhile
    keeps its rows here, because its old content stays until nothing maps it.

    Parameters
    ----------
    file
        The feature file, open.

    Returns
    -------
    ndarray of shape (n_samples, n_views, embedding_dim) or None
        None where they have to be read: a smaller file, float16, chunks, or a system that locks mapped files.
    """
    dataset = file["embeddings"]
    offset = dataset.id.get_offset()  # None for chunks
    is_plain = dataset.dtype == np.dtype("<f4") == np.dtype(np.float32) and offset is not None and offset % 4 == 0
    if os.name != "posix" or not is_plain or dataset.nbytes < MAPPED_FROM:
        return None
    with Path(file.filename).open("rb") as raw:
        # Another process may have replaced the file since HDF5 opened it.
        if not os.path.sameopenfile(raw.fileno(), file.id.get_vfd_handle()):
            return None
        return np.asarray(np.memmap(raw, np.float32, mode="c", offset=offset, shape=dataset.shape))
