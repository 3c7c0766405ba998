# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Fields and masks
#
# Whole fields with many cells each, and a label image for each field, as Cellpose, StarDist or CellProfiler save it.
# Crops are cut while fields are read; none is written to disk. This notebook draws small fields that stand for yours:
# two plates of six wells, two treatments, two channels.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage

import cellfeat

folder = Path("fields")
SIDE, N_CELLS, RADIUS = 384, 16, 13


def draw_field(rng, is_rough):
    """Two channels and a label image: round cells, smooth or rough."""
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for number, place in enumerate(rng.permutation(64)[:N_CELLS], start=1):
        centre = 24 + 48 * np.array(divmod(place, 8)) + rng.uniform(-6, 6, 2)
        labels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (RADIUS * rng.uniform(0.8, 1.1)) ** 2] = number
    inside = ndimage.gaussian_filter((labels > 0).astype(float), 1.5)
    grain = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.7 if is_rough else 2.1)
    cell = inside * (0.6 + 0.25 * grain / grain.std())
    planes = [np.clip(800 + 9000 * plane + rng.normal(0, 600, cell.shape), 0, 65535) for plane in (inside, cell)]
    return [plane.astype(np.uint16) for plane in planes], labels


rows = []
for plate in ("P1", "P2"):
    for n, well in enumerate(("A01", "A02", "A03", "B01", "B02", "B03")):
        rows.append({"plate": plate, "well": well, "treatment": "rough" if n % 2 else "smooth"})
        rng = np.random.default_rng([plate == "P2", n])
        channels, labels = draw_field(rng, is_rough=bool(n % 2))
        for name, plane in zip(("DNA", "Actin"), channels, strict=True):
            path = folder / "images" / plate / f"{well}_s1_{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, plane)
        (folder / "masks" / plate).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / "masks" / plate / f"{well}_s1.tif", labels)
pd.DataFrame(rows).to_csv(folder / "layout.csv", index=False)
pd.DataFrame(rows).head(3)

# %% [markdown]
# ## Extract the cells
#
# Names in braces become columns of each cell. The classes come from the wells' table, and the plate is the group: cells
# of one plate are never in training and test at once.

# %%
settings = cellfeat.load_settings(
    overrides={
        "images.root": str(folder / "images"),
        "images.layout": "fields",
        "images.pattern": "{plate}/{well}_s{site}_{channel}.tif",
        "images.channels": ["DNA", "Actin"],
        "images.fields.masks": "{plate}/{well}_s{site}.tif",
        "images.fields.masks_root": str(folder / "masks"),
        "images.fields.crop_size": 40,
        "labels.file": str(folder / "layout.csv"),
        "labels.label": "treatment",
        "labels.group": "plate",
        "backbone.name": "efficientnet_lite0",
        "backbone.pool": "stages",
        "preprocessing.input_size": 64,
        "preprocessing.crop": "none",
        "preprocessing.channels_as": "separate",
        "extraction.output": str(folder / "cells.h5"),
    }
)
features = cellfeat.load_features(cellfeat.extract(settings).path)
features

# %% [markdown]
# A sample is one cell. Its id is the field and the number of the cell in the label image.

# %%
features.samples.ids[:4]

# %% [markdown]
# ## Compare, leaving one plate out

# %%
comparison = cellfeat.compare(features, ["logreg", "knn"], design=cellfeat.Design(folds=2))
comparison

# %% [markdown]
# ## Look at the cells

# %%
cellfeat.show_page(comparison, features)
