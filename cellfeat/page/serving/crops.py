"""Exact pixels of one sample as bytes that a browser reads: a header, then the pixels."""

import json

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 16
"""The pixels begin at a multiple of this, so that the browser can use them where they are."""

_BROWSER_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def crop_bytes(pixels: NDArray, channels: list[str]) -> bytes:
    """Write the pixels of a sample for the browser.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)``.
    channels
        Name of each channel.

    Returns
    -------
    bytes
        4 bytes of length, little-endian; JSON of that length with ``dtype``, ``shape`` and ``channels``, filled up with
        spaces; then the pixels, little-endian, channel by channel.
    """
    plain = _plain(pixels)
    header = json.dumps({"dtype": plain.dtype.name, "shape": list(plain.shape), "channels": channels}).encode()
    header += b" " * (-(4 + len(header)) % ALIGNMENT)
    return len(header).to_bytes(4, "little") + header + plain.tobytes()


def _plain(pixels: NDArray) -> NDArray:
    """The pixels in a type that browsers have, little-endian."""
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    elif pixels.dtype.name not in _BROWSER_TYPES:
        pixels = pixels.astype(np.float32 if pixels.dtype == np.float16 else np.float64)
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
