"""Intensities of the channels of a sample as the network receives them."""

import numpy as np

from cellfeat.types import Float32s

MEASURED_VALUES = 2**12
"""Pixels of a channel from which its mean and deviation are measured, at least; more would cost time."""


def channel_statistics(pixels: np.ndarray, limits: np.ndarray) -> Float32s:
    """Measure the mean, the standard deviation and the highest value of each channel, after scaling and clipping.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)``, in the files' own type.
    limits
        Values that become 0 and 1, shape ``(C, 2)``.

    Returns
    -------
    ndarray of shape (C, 3)
        From 0 (black) to 1 (white). In large images mean and deviation are over some 4,096 pixels, evenly spaced.
    """
    flat = pixels.reshape(len(pixels), -1)
    # An odd step, so that it does not divide the width: that would select some columns of the image alone.
    selected = flat[:, :: flat.shape[1] // MEASURED_VALUES | 1]
    values = _scaled(selected, limits)
    highest = _scaled(flat.max(axis=1, keepdims=True), limits)
    return np.stack([values.mean(axis=1), values.std(axis=1), highest[:, 0]], axis=1)


def _scaled(values: np.ndarray, limits: np.ndarray) -> Float32s:
    """Scale and clip values of shape ``(C, n)``."""
    lo, hi = limits.astype(np.float32).T[:, :, np.newaxis]
    scaled = (values.astype(np.float32) - lo) / (hi - lo)
    return np.clip(scaled, 0, 1, out=scaled)
