"""Compare a part with the same part that another process has made: equal ones prove each other."""

import numpy as np

from cellfeat.errors import BitsError, ImageError
from cellfeat.extraction.store.header import RunHeader
from cellfeat.extraction.store.part_file import Part
from cellfeat.extraction.store.samples import Status
from cellfeat.extraction.store.stored_type import allowed_difference

EXACT, CLOSE = "exact", "close"
"""Whether all machines must make the same bits, or numbers that are equal within the tolerance of the precision."""


def check_equal(mine: Part, there: Part, header: RunHeader) -> None:
    """Check that two processes have made the same part.

    Parameters
    ----------
    mine
        As this process made it.
    there
        As it was there already.
    header
        The run; its plan says whether numbers need to be close only.

    Raises
    ------
    ImageError
        If a sample could be read by one of them only, or its pixels differ.
    BitsError
        If the embeddings differ.
    """
    _check_images(mine, there)
    is_ok = mine.rows.status == Status.OK
    a, b = mine.rows.embeddings[is_ok], there.rows.embeddings[is_ok]
    if mine.rows.checksum() == there.rows.checksum():
        return
    difference = relative_difference(a, b)
    if header.plan.get("bits") == CLOSE and difference <= allowed_difference(header.recipe):
        return
    n_other = int(np.count_nonzero((a != b).any(axis=(1, 2))))
    raise BitsError(
        f"part of rows {mine.rows.start} to {mine.rows.start + len(mine.rows) - 1}: {n_other} of {len(a)} embeddings "
        f"differ between {there.host}, which made it first, and {mine.host} (largest difference {difference:.1e} of "
        f"an embedding's length). The part that is there was kept: use machines that are alike, or start again with "
        f"--bits close and another --output"
    )


def relative_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Find the largest distance between two embeddings of one sample and view, relative to their length.

    Parameters
    ----------
    a, b
        Embeddings, shape ``(..., embedding_dim)``.
    """
    distance = np.linalg.norm(a.astype(np.float64) - b, axis=-1)
    length = np.maximum(np.linalg.norm(b.astype(np.float64), axis=-1), np.finfo(np.float64).tiny)
    return float((distance / length).max(initial=0.0))


def _check_images(mine: Part, there: Part) -> None:
    differs = (mine.rows.status != there.rows.status) | (mine.rows.pixel_digest != there.rows.pixel_digest).any(axis=1)
    if differs.any():
        row = mine.rows.start + int(differs.argmax())
        raise ImageError(
            f"row {row}: {there.host} and {mine.host} have read different pixels ({np.count_nonzero(differs)} samples "
            f"of this part differ): check that both see the same images, and start the same command again"
        )
