"""Small tables of measurements, as labs have them."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

CLASSES = ("DMSO", "taxol", "nocodazole")


def numbers(n: int = 90, n_columns: int = 6, seed: int = 0) -> np.ndarray:
    """Three classes in turn, which the columns tell apart."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(0, 1.5, (3, n_columns))
    return centres[np.arange(n) % 3] + rng.normal(size=(n, n_columns))


def labels(n: int = 90) -> np.ndarray:
    return np.array(CLASSES)[np.arange(n) % 3]


def cellprofiler(n: int = 90, seed: int = 0) -> pd.DataFrame:
    """Cells of ten images in CellProfiler's columns, coordinates and numbers of objects among the features."""
    measured = numbers(n, seed=seed)
    names = ("Cells_AreaShape_Area", "Cells_Intensity_MeanIntensity_DNA", "Nuclei_Texture_Contrast_ER_3_00_256",
             "Nuclei_Granularity_2_AGP", "Cytoplasm_Correlation_K_DNA_ER", "Cytoplasm_AreaShape_Solidity")  # fmt: skip
    rng = np.random.default_rng(seed + 10)
    return pd.DataFrame(
        {
            "ImageNumber": np.arange(n) // 9 + 1,
            "ObjectNumber": np.arange(n) % 9 + 1,
            "Metadata_Plate": np.where(np.arange(n) < n // 2, "P1", "P2"),
            "Metadata_Compound": labels(n),
            "Nuclei_Location_Center_X": rng.uniform(0, 1000, n),
            "Cells_AreaShape_BoundingBoxMaximum_X": rng.integers(0, 1000, n),
            "Cells_Number_Object_Number": np.arange(n) + 1,
            "Cells_Parent_Nuclei": np.arange(n) + 1,
            "Image_FileName_DNA": [f"a{image}.tif" for image in range(n)],
            "Image_ExecutionTime_01Images": rng.random(n),
            **dict(zip(names, measured.T, strict=True)),
        }
    )


def write_anndata(path: Path, matrix: object = None, n: int = 90) -> None:
    """Write a file as AnnData does, with variable-length text, a categorical and an obsm."""
    X = numbers(n)
    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        if matrix is None:
            file["X"] = X.astype(np.float32)
        else:
            group = file.create_group("X")
            group.attrs["encoding-type"] = f"{matrix.format}_matrix"
            group.attrs["shape"] = matrix.shape
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(matrix, name)
        for name, ids in (("obs", [f"cell{i}" for i in range(n)]), ("var", [f"gene{i}" for i in range(X.shape[1])])):
            group = file.create_group(name)
            group.attrs["_index"] = "_index"
            group.attrs["encoding-type"] = "dataframe"
            group.create_dataset("_index", data=ids, dtype=text)
        file["obs"].attrs.create("column-order", ["cell_type"], dtype=text)
        file["var"].attrs.create("column-order", [], dtype=text, shape=(0,))
        kinds = file["obs"].create_group("cell_type")
        kinds.attrs["encoding-type"] = "categorical"
        kinds["codes"] = (np.arange(n) % 3).astype(np.int8)
        kinds.create_dataset("categories", data=list(CLASSES), dtype=text)
        file["obsm/X_pca"] = X[:, :2]
