"""Tables of every kind become features, and what is left out is said."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from cellfeat.errors import FingerprintError, ManifestError
from cellfeat.extraction.store import load_features, verify_features
from cellfeat.interop.tables.importing import Imported, ImportOptions, Like, import_table
from cellfeat.interop.tables.numbers import Wanted
from tests.interop.tables.measured import CLASSES, cellprofiler, labels, numbers, write_anndata


def said(imported: Imported) -> str:
    return "\n".join(imported.remarks)


def like(imported: Imported) -> Like:
    return Like.of(imported.features.recipe, imported.features.provenance, "earlier")


def save(table: pd.DataFrame, path: Path) -> Path:
    if path.name.endswith(".parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("name", ["cells.csv", "cells.csv.gz", "cells.tsv", "cells.parquet"])
def test_cellprofiler_traps_are_left_out_and_named(folder, name):
    made = import_table(save(cellprofiler(), folder / name))
    features = made.features
    assert features.embeddings.shape == (90, 1, 6)
    assert set(features.samples.labels) == set(CLASSES)
    assert features.samples.ids[:2].tolist() == ["1_1", "1_2"]
    assert len(set(features.samples.groups)) == 10
    assert {"Metadata_Plate", "Nuclei_Location_Center_X"} <= set(features.samples.columns)
    for word in (
        "Nuclei_Location_Center_X",
        "Cells_Number_Object_Number",
        "Cells_Parent_Nuclei",
        "Image_ExecutionTime",
    ):
        assert word in said(made)


def test_csv_and_parquet_give_the_same_features(folder):
    table = cellprofiler().round(6)
    csv, parquet = (import_table(save(table, folder / name)).features for name in ("a.csv", "a.parquet"))
    assert csv.fingerprint == parquet.fingerprint
    assert np.array_equal(csv.embeddings, parquet.embeddings)
    assert csv.samples.digest == parquet.samples.digest


def test_keep_takes_a_coordinate_and_drop_leaves_a_feature_out(folder):
    wanted = Wanted(keep=("*_Location_Center_X",), drop=("Cells_AreaShape_Area",))
    made = import_table(save(cellprofiler(), folder / "a.csv"), ImportOptions(wanted=wanted))
    names = made.features.provenance["imported"]["columns"]
    assert "Nuclei_Location_Center_X" in names
    assert "Cells_AreaShape_Area" not in names


def test_pattern_does_not_take_coordinates_with_it(folder):
    made = import_table(save(cellprofiler(), folder / "a.csv"), ImportOptions(wanted=Wanted(features=("Nuclei_*",))))
    names = made.features.provenance["imported"]["columns"]
    assert names == ["Nuclei_Texture_Contrast_ER_3_00_256", "Nuclei_Granularity_2_AGP"]


def test_header_of_two_lines_is_joined(folder):
    table = cellprofiler()[["ImageNumber", "ObjectNumber", "Metadata_Compound", "Cells_AreaShape_Area",
                            "Nuclei_Granularity_2_AGP"]]  # fmt: skip
    body = table.to_csv(index=False).partition("\n")[2]
    header = (
        "Image,Image,Image,Cells,Nuclei\nImageNumber,ObjectNumber,Metadata_Compound,AreaShape_Area,Granularity_2_AGP\n"
    )
    (folder / "a.csv").write_text(header + body)
    made = import_table(folder / "a.csv")
    assert made.features.provenance["imported"]["columns"] == ["Cells_AreaShape_Area", "Nuclei_Granularity_2_AGP"]
    assert set(made.features.samples.labels) == set(CLASSES)


def test_useless_columns_are_counted_and_left_out(folder):
    table = cellprofiler()
    table["Cells_Texture_A_1"] = 7.0
    table["Cells_Texture_B_1"] = np.nan
    table["Cells_Texture_C_1"] = np.where(np.arange(90) < 10, np.nan, np.arange(90.0))
    table["Cells_Texture_D_1"] = np.arange(90) * 1e300
    table["Cells_Texture_E_1"] = 1e12 + np.arange(90)
    table.loc[3, "Cells_AreaShape_Area"] = np.inf
    made = import_table(save(table, folder / "a.parquet"))
    assert made.features.embeddings.shape[2] == 6
    left_out = made.features.provenance["imported"]["left_out"]
    assert left_out["constant"] == ["Cells_Texture_A_1"]
    assert left_out["empty"] == ["Cells_Texture_B_1"]
    assert left_out["more than 5% missing"] == ["Cells_Texture_C_1"]
    assert left_out["beyond the range of float32"] == ["Cells_Texture_D_1"]
    assert left_out["varies by less than float32 tells apart"] == ["Cells_Texture_E_1"]
    assert "1 infinite numbers" in said(made)
    assert np.isnan(made.features.embeddings).sum() == 1


def test_equal_rows_are_copies_and_stay_together(folder):
    table = cellprofiler()
    measured = [name for name in table if "Texture" in name or "Granularity" in name or "AreaShape_Area" in name]
    table = pd.concat([table, table.iloc[:4].assign(ImageNumber=99)], ignore_index=True)
    made = import_table(save(table[["ImageNumber", "ObjectNumber", "Metadata_Compound", *measured]], folder / "a.csv"))
    digests = made.features.samples.digests
    assert (digests[-4:] == digests[:4]).all()
    assert "4 rows equal an earlier one" in said(made)


def test_row_without_a_number_has_failed(folder):
    table = pd.DataFrame(numbers(), columns=list("abcdef")).assign(label=labels())
    table.loc[5, list("abcdef")] = np.nan
    made = import_table(save(table, folder / "a.csv"))
    assert made.features.samples.failures == {5: "every feature is missing"}


def test_columns_that_count_or_tell_the_label_are_warned_of(folder):
    table = pd.DataFrame(numbers(), columns=list("abcdef"))
    table = table.assign(number=np.arange(90), code=np.arange(90) % 3, label=labels())
    made = import_table(save(table, folder / "a.csv"))
    assert "number counts the rows" in said(made)
    assert "code has one value for each class" in said(made)


def test_groups_are_no_features_and_positions_are_warned_of(folder):
    table = pd.DataFrame(numbers(), columns=["area", "centroid-0", "centroid-1", "mean", "texture", "solidity"])
    table = table.assign(donor=np.arange(90) // 10, label=labels())
    made = import_table(save(table, folder / "a.csv"))
    assert "donor" not in made.features.provenance["imported"]["columns"]
    assert made.features.samples.columns["donor"][-1] == "8"
    assert "centroid-0, centroid-1 may be positions" in said(made)
    assert "--group donor" in said(made)


def test_index_that_counts_rows_is_no_id_where_cellprofiler_has_one(folder):
    cellprofiler().to_csv(folder / "a.csv")
    made = import_table(folder / "a.csv")
    assert made.features.samples.ids[0] == "1_1"
    assert made.features.embeddings.shape[2] == 6


def test_like_takes_the_same_columns_in_any_order(folder):
    first = import_table(save(cellprofiler(), folder / "a.csv"))
    second = cellprofiler(seed=5).iloc[:, ::-1].assign(Cells_AreaShape_Area=1.0, Cells_Texture_New_1=2.0)
    made = import_table(save(second, folder / "b.parquet"), like=like(first))
    assert made.features.fingerprint == first.features.fingerprint
    assert made.features.samples.labels.tolist() == second["Metadata_Compound"].tolist()
    names = first.features.provenance["imported"]["columns"]
    assert np.allclose(made.features.embeddings[:, 0], second[names].to_numpy())


def test_like_names_missing_columns(folder):
    first = import_table(save(cellprofiler(), folder / "a.csv"))
    save(cellprofiler().drop(columns="Nuclei_Granularity_2_AGP"), folder / "b.csv")
    with pytest.raises(ManifestError, match=r"lacks 1 of the 6 .*Nuclei_Granularity_2_AGP"):
        import_table(folder / "b.csv", like=like(first))


def test_like_needs_features_of_a_table():
    with pytest.raises(FingerprintError, match="images"):
        Like.of({"backbone": {"name": "convnext_base"}}, {}, "cells.h5")


@pytest.mark.parametrize("kind", [None, scipy.sparse.csr_matrix, scipy.sparse.csc_matrix])
def test_anndata_dense_and_sparse_are_read(folder, kind):
    write_anndata(folder / "a.h5ad", None if kind is None else kind(numbers()))
    features = import_table(folder / "a.h5ad").features
    assert np.allclose(features.embeddings[:, 0], numbers(), atol=1e-6)
    assert features.samples.ids[0] == "cell0"
    assert features.samples.labels[:3].tolist() == list(CLASSES)
    assert features.provenance["imported"]["columns"][0] == "gene0"


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.csc_matrix])
@pytest.mark.parametrize(
    ("part", "value"), [("indptr", 2**30), ("indptr", -(2**30)), ("indices", 2**30), ("indices", -1)]
)
@pytest.mark.parametrize("says_empty", [False, True])
def test_sparse_matrix_with_wrong_places_is_refused(folder, kind, part, value, says_empty):
    write_anndata(folder / "a.h5ad", kind(numbers()))
    with h5py.File(folder / "a.h5ad", "r+") as file:
        file[f"X/{part}"][1] = value
        file["X/indptr"][-1] *= not says_empty
    with pytest.raises(ManifestError, match=r"a\.h5ad"):
        import_table(folder / "a.h5ad")


@pytest.mark.parametrize("name", ["X_pca", "obsm/X_pca"])
def test_obsm_is_read_by_name(folder, name):
    write_anndata(folder / "a.h5ad")
    assert import_table(folder / "a.h5ad", ImportOptions(dataset=name)).features.embeddings.shape == (90, 1, 2)


def test_npz_arrays_are_read_by_their_names(folder):
    np.savez(folder / "a.npz", X=numbers(), y=labels(), ids=np.arange(90), groups=np.arange(90) // 3)
    features = import_table(folder / "a.npz").features
    assert features.samples.labels.tolist() == labels().tolist()
    assert features.samples.groups[:4].tolist() == ["0", "0", "0", "1"]


def test_npy_takes_ids_and_labels_from_a_table(folder):
    np.save(folder / "a.npy", numbers().reshape(90, 2, 3))
    save(pd.DataFrame({"cell": [f"c{i}" for i in range(90)], "cell_type": labels()}), folder / "y.csv")
    features = import_table(folder / "a.npy", ImportOptions(labels=folder / "y.csv", id="cell")).features
    assert features.embeddings.shape == (90, 2, 3)
    assert features.samples.ids[0] == "c0"
    assert features.samples.labels.tolist() == labels().tolist()


def test_dataset_of_another_hdf5_is_read_with_columns_beside_it(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["deep/features"], file["names"], file["y"] = numbers(), np.arange(90), labels().astype("S")
    made = import_table(folder / "a.h5", ImportOptions(id="/names", label="/y"))
    assert made.features.embeddings.shape == (90, 1, 6)
    assert made.features.samples.labels[0] == "DMSO"


def test_list_column_of_parquet_becomes_features(folder):
    pd.DataFrame({"id": np.arange(90), "emb": list(numbers()), "label": labels()}).to_parquet(folder / "a.parquet")
    assert import_table(folder / "a.parquet").features.embeddings.shape == (90, 1, 6)


def test_labels_are_joined_by_the_well(folder):
    table = cellprofiler().drop(columns="Metadata_Compound").assign(Metadata_Well=[f"A{i % 3}" for i in range(90)])
    plate = pd.DataFrame({"Metadata_Well": ["A0", "A1", "A2", "A3"], "compound": [*CLASSES, "none"]})
    save(plate, folder / "map.csv")
    made = import_table(save(table, folder / "a.csv"), ImportOptions(labels=folder / "map.csv"))
    assert made.features.samples.labels.tolist() == labels().tolist()
    assert "row 5" in said(made)  # the well without a cell


def test_labels_are_joined_by_a_well_of_another_spelling(folder):
    table = (
        cellprofiler().drop(columns="Metadata_Compound").assign(Image_Metadata_Well=[f"A{i % 3}" for i in range(90)])
    )
    save(pd.DataFrame({"well": ["A0", "A1", "A2"], "compound": CLASSES}), folder / "map.csv")
    made = import_table(save(table, folder / "a.csv"), ImportOptions(labels=folder / "map.csv"))
    assert made.features.samples.labels.tolist() == labels().tolist()
    assert "Image_Metadata_Well" in said(made)


def treated(wells_of_class: int = 5) -> pd.DataFrame:
    """Cells of two images a well, one treatment a well."""
    n = 3 * wells_of_class * 6
    well = np.arange(n) // 6
    return cellprofiler(n).assign(
        ImageNumber=np.arange(n) // 3,
        ObjectNumber=np.arange(n) % 3,
        Metadata_Plate="P1",
        Metadata_Well=[f"A{i:02d}" for i in well],
        Metadata_Compound=np.array(CLASSES)[well % 3],
    )


def test_wells_are_groups_where_treatments_differ_by_well(folder):
    made = import_table(save(treated(), folder / "a.csv"))
    assert len(np.unique(made.features.samples.groups)) == 15
    assert "Metadata_Plate+Metadata_Well" in said(made)


def test_images_stay_groups_where_a_well_has_several_labels(folder):
    table = treated().assign(Metadata_Compound=labels(90))
    assert len(np.unique(import_table(save(table, folder / "a.csv")).features.samples.groups)) == 30


def test_class_in_a_single_well_is_warned_of(folder):
    made = import_table(save(treated(1), folder / "a.csv"))
    assert len(np.unique(made.features.samples.groups)) == 6
    assert "warning: classes in a single well: DMSO, nocodazole, taxol" in said(made)


def test_named_groups_win_over_wells(folder):
    made = import_table(save(treated(), folder / "a.csv"), ImportOptions(group="ImageNumber"))
    assert len(np.unique(made.features.samples.groups)) == 30


def test_names_of_files_are_no_candidates_for_labels(folder):
    table = cellprofiler().rename(columns={"Metadata_Compound": "Metadata_broad_sample"})
    table["Image_FileName_DNA"] = [f"a{i % 4}.tif" for i in range(90)]
    made = import_table(save(table, folder / "a.csv"))
    assert made.features.samples.labels.tolist() == labels().tolist()


def test_decimal_commas_are_read(folder):
    pd.DataFrame(numbers()).assign(label=labels()).to_csv(folder / "a.csv", sep=";", decimal=",", index=False)
    assert np.allclose(import_table(folder / "a.csv").features.embeddings[:, 0], numbers())


@pytest.mark.parametrize("place", ["a name of a column", "a cell"])
def test_windows_1252_is_read_and_named(folder, place):
    name = "Größe" if place == "a name of a column" else "Groesse"
    treatments = np.where(labels() == "taxol", "Kräuter", labels()) if place == "a cell" else labels()
    table = pd.DataFrame(numbers(), columns=["a", "b", "c", "d", "e", name]).assign(label=treatments)
    (folder / "a.csv").write_bytes(table.to_csv(sep=";", decimal=",", index=False).encode("cp1252"))

    made = import_table(folder / "a.csv")
    assert "Windows-1252" in said(made)
    assert name in made.features.provenance["imported"]["columns"]
    assert set(made.features.samples.labels) == set(treatments)


def test_commas_that_may_be_thousands_are_not_guessed(folder):
    table = pd.DataFrame(numbers(), columns=list("abcdef")).assign(
        count=[f"{i + 1},234" for i in range(90)], y=labels()
    )
    made = import_table(save(table, folder / "a.csv"))
    assert "count" not in made.features.provenance["imported"]["columns"]
    assert "column count is no feature: 90 cells may be thousands or decimals, such as '1,234' in row 2" in said(made)


def test_ids_keep_their_zeros(folder):
    table = pd.DataFrame(numbers(), columns=list("abcdef")).assign(id=[f"{i:04d}" for i in range(90)], label=labels())
    assert import_table(save(table, folder / "a.csv")).features.samples.ids[1] == "0001"


def test_saved_file_verifies_and_loads_equal(folder):
    made = import_table(save(cellprofiler(), folder / "a.csv")).features.save(folder / "a.h5")
    assert verify_features(folder / "a.h5").n_samples == 90
    loaded = load_features(folder / "a.h5")
    assert loaded.samples.columns.keys() == made.samples.columns.keys()
    assert loaded.provenance == made.provenance
    assert loaded.is_imported
    assert loaded.samples.properties is None


def test_compressed_table_is_read_whatever_its_name(folder):
    content = cellprofiler().to_csv(index=False).encode()
    (folder / "table").write_bytes(gzip.compress(content))
    assert len(import_table(folder / "table").features) == 90


def test_table_in_memory_is_refused() -> None:
    with pytest.raises(ManifestError, match=r"DataFrame.*from_arrays"):
        import_table(pd.DataFrame({"area": [1.0]}))


def test_images_in_an_array_are_no_features(folder):
    np.savez(folder / "a.npz", X=np.zeros((6, 3, 8, 8), np.uint8), y=list("aabbcc"))
    np.save(folder / "a.npy", np.zeros((6, 8, 8, 3), np.uint8))
    for name, shape in (("a.npz", r"\(6, 3, 8, 8\)"), ("a.npy", r"\(6, 8, 8, 3\)")):
        with pytest.raises(ManifestError, match=f"{shape}.*look like images"):
            import_table(folder / name)


def test_many_views_are_doubted(folder):
    np.save(folder / "a.npy", np.random.default_rng(0).normal(size=(6, 32, 32)))
    np.save(folder / "b.npy", np.random.default_rng(0).normal(size=(6, 8, 32)))
    assert "read as 32 views of 32 features" in said(import_table(folder / "a.npy"))
    assert "32 columns are features in each of 8 views" in said(made := import_table(folder / "b.npy"))
    assert "warning" not in said(made)


def test_class_in_a_single_plate_is_warned_of(folder):
    table = pd.DataFrame(numbers()).assign(label=labels())
    own = table.assign(plate=table["label"].map({name: f"P{place}" for place, name in enumerate(CLASSES)}))
    assert "warning: classes in a single plate" in said(import_table(save(own, folder / "a.csv")))
    both = table.assign(plate=[f"P{place % 2}" for place in range(len(table))])
    assert "single plate" not in said(import_table(save(both, folder / "b.csv")))


def test_columns_that_grow_with_the_rows_are_warned_of(folder):
    table = pd.DataFrame(numbers()).assign(label=labels())
    rising = np.cumsum(np.random.default_rng(0).uniform(1, 9, len(table)))
    made = import_table(save(table.assign(acquired=rising), folder / "a.csv"))
    assert "warning: acquired counts the rows or grows with them" in said(made)


def test_positions_of_qupath_are_warned_of(folder):
    table = pd.DataFrame(numbers()).assign(label=labels())
    values = np.random.default_rng(0).uniform(0, 99, (2, len(table)))
    named = table.assign(**{"Centroid X µm": values[0], "Centroid Y µm": values[1]})
    assert "Centroid X µm, Centroid Y µm may be positions" in said(import_table(save(named, folder / "a.csv")))


def test_days_are_written_alike_in_every_kind_of_table(folder: Path) -> None:
    days = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]).repeat(20)
    table = pd.DataFrame(numbers(60), columns=list("abcdef")).assign(day=days, label=labels(60))
    of_each = [
        import_table(save(table, folder / name), ImportOptions(group="day")).features
        for name in ("cells.csv", "cells.parquet")
    ]
    assert of_each[0].samples.groups.tolist() == of_each[1].samples.groups.tolist() == days.date.astype(str).tolist()


@pytest.mark.parametrize("name", ["cell", "number"])
def test_labels_whose_ids_are_counted_from_elsewhere_are_refused(folder: Path, name: str) -> None:
    table = pd.DataFrame(numbers(), columns=list("abcdef")).assign(cell=[f"c{i}" for i in range(1, 91)])
    save(table, folder / "a.csv")
    save(pd.DataFrame({name: [f"c{i}" for i in range(90)], "cell_type": labels()}), folder / "y.csv")
    with pytest.raises(ManifestError, match=r"y.csv: the .* count from 0, and those of .*a.csv from 1"):
        import_table(folder / "a.csv", ImportOptions(labels=folder / "y.csv", id=None if name == "cell" else "cell"))
