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
# # Quickstart
#
# From images to a score that you can believe, on generated cells, in about two minutes on a laptop. The images are
# drawn by a program: their scores say nothing about real cells. With images of your own, start at "Look at the images".
#
# You need `pip install 'cellfeat[lite]'`, whose small network is installed with it: nothing is downloaded.

# %%
from pathlib import Path

import pandas as pd

import cellfeat
from cellfeat.samples.synthetic import write_synthetic_cells

folder = Path("quickstart")
write_synthetic_cells(folder, n_samples=450, seed=1)
sorted(path.name for path in (folder / "images").iterdir())[:6]

# %% [markdown]
# Each sample has three grey files, one for each channel. A table names the classes.

# %%
pd.read_csv(folder / "labels.csv").head()

# %% [markdown]
# ## Look at the images
#
# `propose` looks at names, tables and pixels, and proposes settings. What it guessed is marked: check it.

# %%
proposal = cellfeat.propose(folder, files_table=folder / "files.csv")
proposal.table()

# %% [markdown]
# ## Extract once
#
# The network is frozen: its weights never change, so its numbers for an image are computed only once. They are kept in
# one file. Hold every fifth sample back from everything below until the end.

# %%
overrides = {
    "backbone.name": "efficientnet_lite0",
    "backbone.pool": "stages",
    "preprocessing.input_size": 64,
    "preprocessing.crop": "none",
    "preprocessing.channels_as": "separate",
    "extraction.output": str(folder / "cells.h5"),
}
proposal.save(folder / "cellfeat.yaml", force=True)
settings = cellfeat.load_settings(folder / "cellfeat.yaml", overrides=overrides)
extraction = cellfeat.extract(settings)
features = cellfeat.load_features(extraction.path)
features

# %%
is_held_out = [row % 5 == 0 for row in range(len(features.samples.ids))]
known = features.take([row for row, held in enumerate(is_held_out) if not held])
unseen = features.take([row for row, held in enumerate(is_held_out) if held])

# %% [markdown]
# ## What would make a score wrong?
#
# The audit looks for copies and near copies, labels that disagree, damaged channels, and shortcuts: things other than
# the cells that tell the classes.

# %%
found = cellfeat.audit(known)
found

# %% [markdown]
# ## Compare heads
#
# A head is a classifier on the embeddings. All heads are fitted on the same folds; copies stay together. Intervals are
# 95 %, and the verdicts are sentences.

# %%
comparison = cellfeat.compare(known, ["logreg", "mlp", "knn"], design=cellfeat.Design(folds=5, groups="auto"))
comparison

# %%
print("\n".join(comparison.verdicts()))

# %%
comparison.plot_confusion(comparison.best.head)

# %% [markdown]
# ## Look at the cells behind the numbers
#
# The page shows the samples behind each number of the confusion matrix, a map of all samples, and each cell large.

# %%
cellfeat.show_page(comparison, known)

# %% [markdown]
# ## Fit, and score on samples that were held back
#
# The head that is saved is fitted on all known samples. Its score on the unseen ones should lie near its score out of
# fold; samples that are copies of known ones are left out.

# %%
bundle, result = cellfeat.fit(known, comparison.best.head, design=cellfeat.Design(folds=5, groups="auto"))
held_out = cellfeat.score_held_out(bundle, unseen)
held_out

# %% [markdown]
# ## Take it elsewhere
#
# `h5ad` is read by scanpy and anndata; [other formats](../guide/export.md).

# %%
cellfeat.export(known, "h5ad", folder / "cells.h5ad", results=comparison, replace=True)
