"""Squares become the pictures that the backbone receives, gathered in forward batches of a fixed size.

Each view of each pass is one picture. Pictures of several views and passes share a forward batch, so a batch of few
samples is filled up with their own pictures first.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from cellfeat.extraction.forward.passes import Pass, make_view


class PictureBatches:
    """Gathers normalised pictures in one buffer, which is reused.

    The order is pass by pass, then view by view, then sample by sample. The last batch is padded with zeros: with
    another size the device may choose other kernels, which round differently.

    Parameters
    ----------
    size
        Pictures of a forward batch.
    moments
        Mean and standard deviation of the three planes, on the device, shape ``(3, 1, 1)`` each.
    dtype
        Type of the module's input.
    """

    def __init__(self, size: int, moments: tuple[torch.Tensor, torch.Tensor], dtype: torch.dtype) -> None:
        self.size = size
        self._mean, self._std = moments
        self._dtype = dtype
        self._buffer: torch.Tensor | None = None

    def of(self, squares: torch.Tensor, passes: Iterable[Pass], n_views: int) -> Iterator[torch.Tensor]:
        """Yield the forward batches of squares, at least one.

        Parameters
        ----------
        squares
            Shape ``(n, C, S, S)``, from 0 to 1.
        passes, n_views
            Which pictures are made of them.

        Yields
        ------
        torch.Tensor of shape (size, 3, S, S)
            In channels-last layout. The next batch is written into the same memory.
        """
        batch = self._batch(squares)
        memory = _moved_alone(batch)
        n_filled = 0
        # At least one batch, even of zeros alone: a part without a readable sample still needs the shape of its rows.
        is_first = True
        for pictures in self._pictures(squares, passes, n_views):
            n_taken = 0
            while n_taken < len(pictures):
                n = min(self.size - n_filled, len(pictures) - n_taken)
                _copy_planes(pictures[n_taken : n_taken + n], memory[n_filled : n_filled + n])
                n_taken, n_filled = n_taken + n, n_filled + n
                if n_filled == self.size:
                    yield batch
                    n_filled, is_first = 0, False
        if n_filled or is_first:
            batch[n_filled:] = 0
            yield batch

    def _batch(self, squares: torch.Tensor) -> torch.Tensor:
        side = squares.shape[-1]
        if self._buffer is None:
            shape = (self.size, 3, side, side)
            self._buffer = torch.empty(
                shape, dtype=self._dtype, device=squares.device, memory_format=torch.channels_last
            )
        return self._buffer

    def _pictures(self, squares: torch.Tensor, passes: Iterable[Pass], n_views: int) -> Iterator["Movable"]:
        """Yield the pictures of all samples, shape ``(n, 3, S, S)``, for each pass and view."""
        for one in passes:
            # Normalised once for all views: turning moves numbers and does not change them.
            planes = torch.stack([squares[:, plane] for plane in one.planes], dim=1).sub_(self._mean).div_(self._std)
            movable = _moved_alone(planes.to(self._dtype))
            for view in range(n_views):
                yield _turned(movable, view)


Movable = torch.Tensor | np.ndarray


def _moved_alone(pictures: torch.Tensor) -> Movable:
    """Give pictures as what moves their numbers best: on a CPU NumPy, whose turned views need no copy.

    NumPy also moves them in this thread alone. Threads of PyTorch wait for more work in a loop, and would take the
    processor from a forward of OpenVINO, which has threads of its own.
    """
    if pictures.device.type != "cpu":
        return pictures
    # NumPy has no bfloat16; numbers that are only moved may as well be integers.
    return (pictures.view(torch.int16) if pictures.dtype == torch.bfloat16 else pictures).numpy()


def _turned(pictures: Movable, view: int) -> Movable:
    if isinstance(pictures, torch.Tensor):
        return make_view(pictures, view)
    mirrored = pictures[..., ::-1] if view >= 4 else pictures
    return np.rot90(mirrored, view % 4, axes=(-2, -1))


def _copy_planes(pictures: Movable, batch: Any) -> None:
    # Plane by plane: a copy of all three would run over the planes innermost, three numbers at a time, which takes a
    # CPU up to three times as long.
    for plane in range(3):
        batch[:, plane] = pictures[:, plane]
