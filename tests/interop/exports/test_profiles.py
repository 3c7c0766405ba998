import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cellfeat
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.extraction.store import Features
from cellfeat.interop.exports.profiles import standard_columns
from tests.interop.exports.environments import environment, run_in

CHECK = """
import json, sys
import pandas as pd
from pycytominer import feature_select, normalize
from pycytominer.cyto_utils import infer_cp_features
profiles = pd.read_parquet(sys.argv[1])
normalized = normalize(profiles, features="infer", samples="Metadata_Plate == 'p0'", method="standardize")
selected = feature_select(normalized, features="infer", operation=["variance_threshold", "drop_na_columns"])
print(json.dumps({"features": infer_cp_features(profiles), "normalized": normalized.shape, "selected": selected.shape}))
"""


def test_columns_have_names_that_pycytominer_takes(
    features: Features, compared: Comparison, readable: np.ndarray, tmp_path: Path
) -> None:
    profiles = pd.read_parquet(cellfeat.export(features, "profiles", tmp_path, results=compared))
    metadata = [name for name in profiles if name.startswith("Metadata_")]
    assert metadata[:2] == ["Metadata_Plate", "Metadata_Well"]
    assert {"Metadata_cellfeat_id", "Metadata_label", "Metadata_logreg_predicted", "Metadata_dose_uM"} <= set(metadata)
    cells = [name for name in profiles if name not in metadata]
    assert (cells[0], cells[4]) == ("Cells_CellFeat_planes_0000", "Cells_CellFeat_ER-mito_0000")
    assert np.array_equal(profiles[cells].to_numpy(np.float32), readable)
    assert profiles["Metadata_Well"].iloc[:3].tolist() == ["A01", "B02", "C03"]


def test_compressed_csv_equals_parquet(features: Features, tmp_path: Path) -> None:
    parquet = pd.read_parquet(cellfeat.export(features, "profiles", tmp_path))
    csv = pd.read_csv(cellfeat.export(features, "profiles", tmp_path / "profiles.csv.gz"))
    assert list(csv) == list(parquet)
    cells = parquet.filter(like="Cells_")
    assert np.array_equal(csv[list(cells)].to_numpy(np.float32), cells.to_numpy())


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["plate", "well", "field"], {"Plate": "plate", "Well": "well", "Site": "field"}),
        (["Metadata_Plate", "Metadata_Well"], {"Plate": "Metadata_Plate", "Well": "Metadata_Well"}),
        (["Nuclei_Number_Object_Number", "FOV"], {"Site": "FOV", "ObjectNumber": "Nuclei_Number_Object_Number"}),
        (["Image_Metadata_Plate", "plate"], {"Plate": "Image_Metadata_Plate"}),
        (["donor", "platelets", "wellness"], {}),
    ],
)  # fmt: skip
def test_plate_well_and_site_are_found(names: list[str], found: dict[str, str]) -> None:
    assert standard_columns(names) == found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pycytominer_normalizes_and_selects(features: Features, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", "pycytominer==1.7.*")
    path = cellfeat.export(features, "profiles", tmp_path)
    found = json.loads(run_in(python, CHECK, path))
    profiles = pd.read_parquet(path)
    assert found["features"] == [name for name in profiles if name.startswith("Cells_")]
    assert found["normalized"] == list(profiles.shape)


def test_positions_on_fields_are_metadata(on_fields: Features, tmp_path: Path) -> None:
    profiles = pd.read_parquet(cellfeat.export(on_fields, "profiles", tmp_path))
    assert profiles["Metadata_Location_Center_X"].iloc[1] == 1.5
    assert profiles["Metadata_Location_Center_Y"].iloc[1] == 20
    assert profiles["Metadata_ObjectNumber"].iloc[0] == 1
    assert profiles["Metadata_Field"].iloc[-1] == "field 1"


def test_names_of_imported_features_stay(features: Features, tmp_path: Path) -> None:
    names = ["Cells_AreaShape_Area", "Nuclei_Texture_3_00_256", *(f"umap {i}" for i in range(6))]
    imported = replace(features, provenance={"imported": {"columns": names}})
    profiles = pd.read_parquet(cellfeat.export(imported, "profiles", tmp_path))
    assert [name for name in profiles if not name.startswith("Metadata_")][:3] == [*names[:2], "Cells_CellFeat_umap-0"]
    table = pd.read_parquet(cellfeat.export(imported, "parquet", tmp_path))
    assert list(table)[-len(names) :] == names
