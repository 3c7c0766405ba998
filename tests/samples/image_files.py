"""File names and pixels of samples, for the tests of this folder."""

import io

import numpy as np
import tifffile

CHANNELS = ["blue", "red", "yellow"]


def files_of(*ids: int) -> list[str]:
    return [f"{i:05d}_{channel}.png" for i in ids for channel in CHANNELS]


def planes(n: int, dtype: str = "uint8") -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return list(rng.integers(0, np.iinfo(dtype).max, (n, 6, 5), dtype))


def noise(*shape: int, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def tiff(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()
