"""Two fields, with the positions of cells on them in a table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from cellfeat.config import Settings
from cellfeat.config_sources import load_settings

SIDE = 32
"""Side of the crop of a cell."""


def write_fields(folder: Path, x: Sequence[int], y: Sequence[int]) -> Settings:
    """Write two fields with three cells each at the same places, and give the settings that describe them.

    Parameters
    ----------
    folder
        The folder.
    x, y
        The places of the three cells.
    """
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for field in ("f1", "f2"):
        tifffile.imwrite(folder / "images" / f"{field}.tif", rng.integers(0, 4000, (96, 128), dtype=np.uint16))
    cells = {
        "field": ["f1"] * 3 + ["f2"] * 3,
        "ObjectNumber": ["1", "2", "3"] * 2,
        "Nuclei_Location_Center_X": [*map(str, x)] * 2,
        "Nuclei_Location_Center_Y": [*map(str, y)] * 2,
        "cell_type": ["a", "b"] * 3,
    }
    pd.DataFrame(cells).to_csv(folder / "cells.csv", index=False)
    return load_settings(
        overrides={
            "images.root": str(folder / "images"),
            "images.layout": "fields",
            "images.pattern": "{field}.tif",
            "images.channels": [0],
            "images.fields.crop_size": SIDE,
            "labels.file": str(folder / "cells.csv"),
            "labels.id": "ObjectNumber",
            "labels.label": "cell_type",
            "extraction.workers": 0,
        }
    )
