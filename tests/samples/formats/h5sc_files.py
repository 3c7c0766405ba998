"""Files of scPortrait, written with h5py as AnnData 0.12 and scPortrait 1.7 write them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

NAMES = ("seg_all_nucleus", "DAPI", "Alexa488_long_name", "mCherry")
KINDS = ("mask", "image_channel", "image_channel", "image_channel")
N_CELLS, SIDE = 12, 16


def crops(seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).random((N_CELLS, len(NAMES), SIDE, SIDE)).astype(np.float16)
    values[:, 0] = values[:, 0] > 0.5
    return values


def write_h5sc(
    path: Path,
    pixels: np.ndarray | None = None,
    *,
    ids: Sequence[int] = range(1, N_CELLS + 1),
    columns: Mapping[str, Sequence] | None = None,
    written: int | None = None,
) -> Path:
    """Write crops, ids and further columns of obs; only the first `written` crops where it is given."""
    pixels = crops() if pixels is None else pixels
    with h5py.File(path, "w") as file:
        obs = file.create_group("obs")
        obs["scportrait_cell_id"] = np.asarray(ids, np.uint64)
        for name, values in (columns or {"condition": ["ctrl", "drug"] * (N_CELLS // 2)}).items():
            _write_column(obs, name, values)
        order = [name for name in obs if name != "scportrait_cell_id"]
        obs.attrs["column-order"] = np.array(["scportrait_cell_id", *order], object)
        told = file.create_group("uns/single_cell_images")
        told["channel_names"] = [name[:15] for name in NAMES]
        told["channel_mapping"] = list(KINDS)
        images = file.create_dataset(
            "obsm/single_cell_images", pixels.shape, pixels.dtype, chunks=(1, 1, *pixels.shape[2:]), compression="lzf"
        )
        n_written = len(pixels) if written is None else written
        images[:n_written] = pixels[:n_written]
        images.attrs["channel_names"] = np.array([name.encode() for name in NAMES])
        images.attrs["channel_mapping"] = np.array([kind.encode() for kind in KINDS])
    return path


def _write_column(obs: h5py.Group, name: str, values: Sequence) -> None:
    """Text as a category, as pandas makes it; whole numbers with gaps as values and a mask; floats as they are."""
    if all(isinstance(value, float) for value in values):
        obs[name] = np.asarray(values)
        return
    group = obs.create_group(name)
    if any(isinstance(value, int) for value in values):
        group["values"] = np.array([value or 0 for value in values])
        group["mask"] = np.array([value is None for value in values])
        return
    categories = sorted({value for value in values if value is not None})
    group["categories"] = categories
    group["codes"] = np.array([-1 if value is None else categories.index(value) for value in values], np.int8)
