"""Features of arrays, DataFrames and sparse matrices, and their file."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from cellfeat.errors import CellfeatError, ConfigError, ManifestError, WriteError
from cellfeat.extraction.store import Features, load_features
from cellfeat.samples.regions import Regions

X = np.arange(12.0).reshape(4, 3) ** 2


def table() -> pd.DataFrame:
    return pd.DataFrame(X, columns=["area", "mean", "texture"], index=["a", "b", "c", "d"])


@pytest.mark.parametrize("given", [X, X.tolist(), X.astype(np.float16), scipy.sparse.csr_matrix(X), table()])
def test_arrays_of_each_kind_give_the_same_numbers(given):
    features = Features.from_arrays(given)
    assert features.embeddings.dtype == np.float32
    assert np.array_equal(features.embeddings[:, 0], X.astype(np.float32))


def test_views_are_kept():
    assert Features.from_arrays(np.ones((4, 8, 3))).embeddings.shape == (4, 8, 3)


def test_dataframe_gives_ids_and_names():
    features = Features.from_arrays(table())
    assert features.samples.ids.tolist() == ["a", "b", "c", "d"]
    assert features.provenance["imported"]["columns"] == ["area", "mean", "texture"]


@pytest.mark.parametrize(
    "labels",
    [
        ["x", "y", None, "x"],
        np.array(["x", "y", "", "x"]),
        {"a": "x", "b": "y", "d": "x"},
        pd.Series(["x", "x", "y"], index=["d", "a", "b"]),
        pd.Series(["x", "y", np.nan, "x"]),
        pd.Categorical(["x", "y", None, "x"]),
    ],
)
def test_labels_are_taken_in_order_or_by_id(labels):
    assert Features.from_arrays(table(), labels=labels).samples.labels.tolist() == ["x", "y", "", "x"]


def test_groups_and_further_columns_are_kept():
    features = Features.from_arrays(table(), groups=[1.0, 1.0, 2.0, 2.0], columns={"plate": ["P1", "P1", "P2", "P2"]})
    assert features.samples.groups.tolist() == ["1", "1", "2", "2"]
    assert features.samples.columns["plate"].tolist() == ["P1", "P1", "P2", "P2"]


def test_labels_may_be_the_name_of_a_column():
    features = Features.from_arrays(table(), labels="line", columns={"line": list("xyxy"), "dose": [0.5, 1, 2, None]})
    assert features.samples.labels.tolist() == ["x", "y", "x", "y"]
    assert features.samples.columns["dose"].tolist() == ["0.5", "1", "2", ""]


def test_words_are_names_of_classes():
    labels = ["None", "NA", None, "x"]
    features = Features.from_arrays(table(), labels=labels)
    assert features.samples.labels.tolist() == ["None", "NA", "", "x"]
    assert Features.from_arrays(table()).with_labels(labels).samples.labels.tolist() == ["None", "NA", "", "x"]


def test_labels_of_filtered_rows_are_taken_in_order():
    labels = pd.Series(list("vwxyz"))[[0, 1, 3, 4]]
    assert Features.from_arrays(X, labels=labels).samples.labels.tolist() == ["v", "w", "y", "z"]


def rows_of_a_table(index: list[int]) -> pd.DataFrame:
    return pd.DataFrame(X, columns=["area", "mean", "texture"], index=index)


@pytest.mark.parametrize(
    ("table", "ids", "index"),
    [
        (pd.DataFrame(X), None, [2, 0, 1, 3]),
        (pd.DataFrame(X), None, [3, 5, 7, 9]),
        (rows_of_a_table([3, 5, 7, 9]), None, [3, 5, 7, 8]),
        (rows_of_a_table([3, 5, 7, 9]), ["a", "b", "c", "d"], [9, 7, 5, 3]),
    ],
)
@pytest.mark.parametrize("what", ["labels", "groups", "columns"])
def test_values_of_other_row_numbers_than_the_table_has_are_refused(table, ids, index, what):
    values = pd.Series(["x", "x", "y", "y"], index=index)
    with pytest.raises(ManifestError, match="is not that of X"):
        Features.from_arrays(table, ids=ids, **{what: {"dose": values} if what == "columns" else values})


@pytest.mark.parametrize("index", [[3, 5, 7, 9], [0, 1, 2, 3], [9, 7, 5, 3]])
def test_values_of_the_row_numbers_of_the_table_and_of_none_are_taken(index):
    values = pd.Series(["x", "x", "y", "y"], index=index)
    features = Features.from_arrays(rows_of_a_table([3, 5, 7, 9]), labels=values)
    assert features.samples.labels.tolist() == (["y", "y", "x", "x"] if index[0] == 9 else ["x", "x", "y", "y"])


def test_equal_rows_have_equal_digests_whatever_the_sign_of_zero():
    digests = Features.from_arrays(np.array([[0.0, 1.0, np.nan], [-0.0, 1.0, np.nan], [0.0, 2.0, 1.0]])).samples.digests
    assert digests[0] == digests[1] != digests[2]


def test_infinity_is_missing():
    assert np.isnan(Features.from_arrays(np.array([[np.inf, 1.0], [2.0, 3.0]])).embeddings[0, 0, 0])


def test_saved_features_are_read_back_equal(tmp_path):
    rows = X.copy()
    rows[1, 1], rows[2] = np.nan, np.nan
    made = Features.from_arrays(rows, list("abcd"), ["x", "y", "x", ""], columns={"plate": list("PPQQ")})
    saved = made.save(tmp_path / "new" / "a.h5")
    loaded = load_features(saved.path)
    assert saved.path == tmp_path / "new" / "a.h5"
    assert np.array_equal(loaded.embeddings, made.embeddings, equal_nan=True)
    for name in ("ids", "labels", "groups", "digests", "status"):
        assert np.array_equal(getattr(loaded.samples, name), getattr(made.samples, name)), name
    assert (loaded.recipe, loaded.provenance, loaded.fingerprint) == (made.recipe, made.provenance, made.fingerprint)
    assert loaded.samples.failures == made.samples.failures


def test_saved_features_keep_their_geometry(tmp_path):
    regions = Regions(
        field=np.array(["f1", "f1", "f2", "f2"]),
        centre=np.arange(8.0).reshape(4, 2) + 10,
        box=np.tile([2, 3, 16, 16], (4, 1)),
        mask_value=np.array([1, 2, 1, 2]),
    )
    made = Features.from_arrays(X)
    made = replace(made, samples=replace(made.samples, regions=regions))
    assert load_features(made.save(tmp_path / "a.h5").path).samples.regions == regions


def test_save_keeps_an_existing_file(tmp_path):
    features = Features.from_arrays(X)
    features.save(tmp_path / "a.h5")
    before = (tmp_path / "a.h5").read_bytes()
    with pytest.raises(WriteError, match="exists"):
        Features.from_arrays(X + 1).save(tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == before
    features.save(tmp_path / "a.h5", replace=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.ones(3)}, "shape"),
        ({"X": np.ones((0, 3))}, "shape"),
        ({"X": [["a", "b"]]}, "numbers"),
        ({"X": table().assign(name="text")}, "name"),
        ({"X": [[1e300, 1.0], [1.0, 2.0]]}, "float32.*row 1"),
        ({"ids": ["a", "a", "b", "c"]}, "'a' .rows 1, 2"),
        ({"ids": ["a", "b"]}, "ids: expected 4"),
        ({"ids": ["a", None, "b", "c"]}, "no id in row 2"),
        ({"labels": ["x"]}, "labels: expected 4"),
        ({"labels": {"elsewhere": "x"}}, "elsewhere"),
        ({"labels": pd.Series(["x", "y"], index=["row1", "row1"]), "ids": list("abcd")}, "more than once.*row1"),
        ({"groups": ["x"]}, "groups: expected 4"),
        ({"groups": {"row1": "x"}}, "groups: 3 of 4 samples"),
        ({"labels": ["x", "y", str(np.nan), "x"]}, "labels: 1.*'nan'"),
        ({"labels": [0.5, 1, 2, 3]}, "labels: expected text or whole numbers"),
        ({"names": ["one", "two"]}, "names: expected 3"),
        ({"X": [[np.nan, 1.0], [1.0, 2.0]], "scaling": "none"}, "'row1' .row 1"),
        ({"X": pd.concat([table(), table()], axis=1)}, "more than once: area, mean, texture"),
        ({"X": table(), "groups": {"a": "1", "c": "2"}}, "groups: 2 of 4.* b, d"),
        ({"X": table(), "groups": pd.Series(["1", "2"], index=["a", "c"])}, "groups: 2 of 4.* b, d"),
        ({"labels": [0.5, 1.0, 2.0, 3.0]}, "labels: .*0.5"),
        ({"groups": pd.Series([0.25, 1.0, 2.0, 3.0])}, "groups: .*0.25"),
        ({"X": table(), "labels": "line"}, "labels: .*no column 'line'"),
        ({"ids": "name"}, "ids: .*no column 'name'"),
        ({"ids": ["x", "y", "x", "y"], "labels": ["1", "1", "2", "2"]}, "2 different ids: x, y.*labels="),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ManifestError, match=message):
        Features.from_arrays(**{"X": X, **arguments})


def test_columns_of_the_table_are_named_as_ids_labels_and_groups():
    mixed = table().assign(line=list("xyxy"), donor=[1, 1, 2, 2]).reset_index(names="cell")
    features = Features.from_arrays(mixed, ids="cell", labels="line", groups="donor")
    assert features.provenance["imported"]["columns"] == ["area", "mean", "texture"]
    assert features.samples.ids.tolist() == list("abcd")
    assert features.samples.labels.tolist() == list("xyxy")
    assert features.samples.groups.tolist() == ["1", "1", "2", "2"]


def test_a_further_column_is_named_as_groups():
    features = Features.from_arrays(X, groups="plate", columns={"plate": list("PPQQ")})
    assert features.samples.groups.tolist() == features.samples.columns["plate"].tolist() == list("PPQQ")


def test_numbers_in_columns_of_objects_are_numbers():
    assert np.array_equal(Features.from_arrays(table().astype(object)).embeddings[:, 0], X.astype(np.float32))


def test_unknown_scaling_is_refused():
    with pytest.raises(ConfigError, match="'zscore'"):
        Features.from_arrays(X, scaling="zscore")
    assert issubclass(ConfigError, CellfeatError)


def test_masked_numbers_are_missing():
    masked = np.ma.masked_array(np.arange(12).reshape(4, 3), mask=False)
    masked[1, 2] = np.ma.masked
    embeddings = Features.from_arrays(masked).embeddings[:, 0]
    assert np.argwhere(np.isnan(embeddings)).tolist() == [[1, 2]]
    assert embeddings[1, 1] == 4


def test_rows_of_several_lengths_are_refused():
    with pytest.raises(ManifestError, match="rows of several lengths"):
        Features.from_arrays([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize("what", ["ids", "labels", "groups"])
def test_column_of_the_dataframe_given_as_series_would_stay_a_feature(what):
    cells = table().reset_index(drop=True).assign(number=[1, 2, 3, 4])
    with pytest.raises(ManifestError, match=f"{what}='number'"):
        Features.from_arrays(cells, **{what: cells["number"]})
    named = Features.from_arrays(cells, **{what: "number"})
    apart = Features.from_arrays(cells.drop(columns="number"), **{what: cells["number"]})
    assert np.array_equal(named.embeddings, apart.embeddings)


def test_further_column_may_be_a_feature_too():
    cells = table()
    assert Features.from_arrays(cells, columns={"area": cells["area"]}).embeddings.shape == (4, 1, 3)


@pytest.mark.parametrize("give", [Features.with_labels, Features.with_groups])
def test_row_numbers_in_another_order_are_refused(give):
    cells = table().reset_index(drop=True)
    values = pd.Series(list("wxyz"))
    features = Features.from_arrays(cells)
    assert give(features, values).samples.ids.tolist() == ["row1", "row2", "row3", "row4"]
    for given, shuffled in ((features, values[[2, 0, 1, 3]]), (features.take([0, 2, 3]), values[[3, 0, 2]])):
        with pytest.raises(ManifestError, match=r"another order.*sort_index"):
            give(given, shuffled)
        give(given, shuffled.sort_index())
        give(given, shuffled.reset_index(drop=True))
    # Rows of an array may have been sorted with their labels before.
    give(Features.from_arrays(X), values[[2, 0, 1, 3]])


@pytest.mark.parametrize("labels", [["HeLa", "hela", "A549", "A549"], ["1", "01", "2", "2"]])
def test_labels_in_two_spellings_are_refused(labels):
    with pytest.raises(ManifestError, match="differ only in case"):
        Features.from_arrays(X, labels=labels)
    with pytest.raises(ManifestError, match="differ only in case"):
        Features.from_arrays(X).with_labels(labels)
    Features.from_arrays(X, groups=labels)
