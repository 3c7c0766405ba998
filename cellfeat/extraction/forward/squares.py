"""Decoded samples become squares on the device: copied, scaled and resized, a whole batch at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from cellfeat.backbones.transform import Transform
from cellfeat.extraction.read_ahead import Decoded

_DEVICE_TYPES = {np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.int64)}


class Copies:
    """Copies arrays to a device; on a GPU beside the forward of the previous batch.

    Parameters
    ----------
    device
        Where the arrays go.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def to_device(self, array: np.ndarray) -> torch.Tensor:
        """Copy an array. The current stream of a GPU waits for the copy, the caller does not.

        Parameters
        ----------
        array
            Of any shape; its type is one that the device has.
        """
        tensor = torch.from_numpy(array)
        if self.stream is None:
            return tensor.to(self.device)
        # Pinned memory and a separate stream let the copy run beside the forward of the previous batch.
        with torch.cuda.stream(self.stream):
            moved = tensor.pin_memory().to(self.device, non_blocking=True)
        # The forward waits for the copy. The allocator, which knows only the stream of the copies, must not give the
        # memory away before the forward has used it.
        current = torch.cuda.current_stream(self.device)
        current.wait_stream(self.stream)
        moved.record_stream(current)
        return moved


def make_squares(samples: Sequence[Decoded], transform: Transform, copies: Copies) -> torch.Tensor:
    """Scale and resize samples: one copy, one scaling and one resize for each shape of pixels.

    Parameters
    ----------
    samples
        At least one sample, all of them readable.
    transform
        Resizes and crops.
    copies
        Copies arrays to the device.

    Returns
    -------
    torch.Tensor of shape (n, C, S, S)
        float32 from 0 to 1, in the order of `samples`.
    """
    groups = _by_shape(samples)
    resized = [_resized([samples[i] for i in group], transform, copies) for group in groups]
    if len(groups) == 1:
        return resized[0]
    order = np.argsort(np.concatenate(groups))
    # The order goes to the device like the pixels: indexing with a list would make the caller wait for the device.
    return torch.cat(resized).index_select(0, copies.to_device(order.astype(np.int64)))


def _by_shape(samples: Sequence[Decoded]) -> list[list[int]]:
    """Group the positions of samples by shape and type of their pixels: only equal ones can be stacked."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, sample in enumerate(samples):
        assert sample.pixels is not None, "samples that failed must be removed before"
        groups.setdefault((sample.pixels.shape, sample.pixels.dtype), []).append(i)
    return list(groups.values())


def _resized(samples: Sequence[Decoded], transform: Transform, copies: Copies) -> torch.Tensor:
    limits = copies.to_device(_stack([sample.limits for sample in samples]))
    low, high = limits[:, :, 0, None, None], limits[:, :, 1, None, None]
    # The stacked pixels belong to nobody else, so they can be scaled where they are.
    values = copies.to_device(_stack([sample.pixels for sample in samples])).to(torch.float32)
    return transform.square(values.sub_(low).div_(high - low).clamp_(0, 1))


def _stack(arrays: Sequence[np.ndarray | None]) -> np.ndarray:
    stacked = np.stack([array for array in arrays if array is not None])
    # Devices support few integer types; float32 represents every uint16 exactly, and is the next step anyway.
    return stacked if stacked.dtype in _DEVICE_TYPES else stacked.astype(np.float32)
