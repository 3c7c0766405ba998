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
# # Bring your own features
#
# You have numbers already, from CellProfiler, a network of your own, or a table: no images are needed. This notebook
# makes a table as CellProfiler writes it, with metadata, columns of very different scales, missing values and plates.

# %%
from pathlib import Path

import numpy as np
import pandas as pd

import cellfeat

rng = np.random.default_rng(0)
n = 600
lines = rng.permutation(np.repeat(["A549", "HeLa", "MCF7"], n // 3))
centre = pd.Series(lines).map({"A549": 0.0, "HeLa": 0.7, "MCF7": 1.4}).to_numpy()
measured = pd.DataFrame(
    {
        "ImageNumber": np.arange(n) // 20 + 1,
        "ObjectNumber": np.arange(n) % 20 + 1,
        "Metadata_Plate": np.repeat([f"P{plate}" for plate in range(1, 7)], n // 6),
        "Metadata_Line": lines,
        **{f"Nuclei_AreaShape_{i}": 300 + 40 * (centre + rng.normal(size=n)) for i in range(12)},
        **{f"Cells_Intensity_{i}": 1e-4 * np.exp(centre / 2 + rng.normal(size=n)) for i in range(12)},
    }
)
measured.loc[::50, "Cells_Intensity_3"] = np.nan
folder = Path("own-features")
folder.mkdir(exist_ok=True)
measured.to_csv(folder / "cells.csv", index=False)
measured.head()

# %% [markdown]
# ## Import
#
# Which columns are features, and which are metadata, is known by their names. What was decided is told.

# %%
from cellfeat.interop.tables.importing import ImportOptions

imported = cellfeat.import_table(folder / "cells.csv", ImportOptions(label="Metadata_Line", group="Metadata_Plate"))
print("\n".join(imported.remarks))
features = imported.features
features

# %% [markdown]
# ## Compare
#
# Cells of one plate stay in one fold: plates are the groups. Columns are scaled inside each training part, so nothing
# of the test part is known to the head.

# %%
from sklearn.svm import SVC

comparison = cellfeat.compare(features, ["logreg", "lightgbm", SVC(C=10), "dummy"])
comparison

# %%
comparison.plot_recalls()

# %% [markdown]
# ## Features in memory
#
# Arrays and DataFrames need no file.

# %%
columns = [name for name in measured.columns if name.startswith("Nuclei_")]
nuclei = cellfeat.Features.from_arrays(
    measured[columns], labels=measured["Metadata_Line"], groups=measured["Metadata_Plate"]
)
print(cellfeat.compare(nuclei, ["logreg", "dummy"]))
