"""Saved heads that are damaged, foreign or hostile are refused."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from cellfeat.errors import BundleError, CellfeatError, HeadError, UnknownNameError
from cellfeat.heads.saved.bundle_files import load_bundle, restored_class_scores, save_bundle
from cellfeat.heads.saved.training_digests import TrainingDigests
from cellfeat.provenance import digest_bytes
from tests.heads.saved.fitted_bundles import DIM, change_record, digests_of, fitted_bundle, plant, scores_of_samples


@pytest.mark.slow
def test_any_changed_byte_is_refused(tmp_path: Path) -> None:
    digests = TrainingDigests.of(digests_of(3))
    save_bundle(fitted_bundle("lightgbm", class_scores=scores_of_samples(), training_digests=digests), tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "b").iterdir())
    assert len(names) == 6
    for name in names:
        path = tmp_path / "b" / name
        original = path.read_bytes()
        for position in np.random.default_rng(0).integers(len(original), size=25):
            changed = bytearray(original)
            changed[position] ^= 1
            path.write_bytes(changed)
            if name == "bundle.json" and same_json(changed, original):
                continue  # white space between the fields has no meaning
            with pytest.raises(BundleError, match=re.escape(name)):
                load_bundle(tmp_path / "b")
        path.write_bytes(original)
    load_bundle(tmp_path / "b")


def same_json(first: bytes, second: bytes) -> bool:
    try:
        return bool(json.loads(first) == json.loads(second))
    except ValueError:
        return False


@pytest.mark.parametrize("name", ["arrays.safetensors", "classes.txt"])
def test_missing_and_truncated_files_are_named(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"{name}: damaged or changed: expected digest sha256:"):
        load_bundle(folder)
    path.unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_bundle(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_other_format_is_refused(folder: Path, version: object) -> None:
    change_record(folder, lambda record: record.update(format=version))
    with pytest.raises(BundleError, match="expected format 1"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b"{", b"\xff\xfe", b"[" * 100_000, b'{"format": 1, "x": NaN}', b'{"format": 1}']
)
def test_malformed_record_is_refused(folder: Path, content: bytes) -> None:
    (folder / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        load_bundle(folder)


def test_record_of_16_megabytes_is_refused(folder: Path) -> None:
    (folder / "bundle.json").write_bytes(b" " * 16_000_001)
    with pytest.raises(BundleError, match="at most 16000000 bytes"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "a/b.txt", "a\\b.txt", "..", "x.pkl", "x.txt\n", ""])
def test_file_name_that_leads_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    change_record(folder, lambda record: record["files"].update({name: digest_bytes(b"secret")}))
    with pytest.raises(BundleError, match=r"expected arrays\.safetensors and NAME\.txt"):
        load_bundle(folder)


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(Exploit.mark),))

    mark = ""


def test_pickle_in_place_of_the_arrays_is_refused_and_not_run(folder: Path) -> None:
    mark = folder.parent / "executed"
    Exploit.mark = str(mark)
    content = pickle.dumps(Exploit())
    pickle.loads(content)
    assert mark.exists(), "the exploit works where pickles are read"
    mark.unlink()
    plant(folder, "arrays.safetensors", content)
    with pytest.raises(BundleError, match=r"arrays\.safetensors: not a safetensors file"):
        load_bundle(folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 64, (2**62).to_bytes(8, "little") + b"{}", b"\x02\0\0\0\0\0\0\0{}"],
    ids=["empty", "ones", "huge header", "no arrays"],
)  # fmt: skip
def test_malformed_arrays_are_refused(folder: Path, content: bytes) -> None:
    plant(folder, "arrays.safetensors", content)
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": np.zeros(DIM + 1)},
        {"mean": np.full(DIM, np.nan)},
        {"mean": np.zeros(DIM, bool)},
        {"codes": np.full(60, 3)},
        {"codes": np.full(60, -1)},
        {"codes": np.zeros(59, int)},
        {"n_features": np.array([-1])},
        {"n_features": np.array([10**15])},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(folder: Path, changes: dict[str, np.ndarray]) -> None:
    arrays = safetensors.numpy.load_file(folder / "arrays.safetensors") | changes
    plant(folder, "arrays.safetensors", safetensors.numpy.save(arrays))
    with pytest.raises(BundleError, match="'knn'"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("scores.safetensors", {}),
        ("scores.safetensors", {"codes": np.array([3]), "probability": np.ones(1), "weight": np.ones(1)}),
        ("samples.safetensors", {}),
        ("samples.safetensors", {"pixel_digest": np.ones(32)}),
        ("samples.safetensors", {"pixel_digest": np.ones((1, 32))}),
    ],
)
def test_malformed_scores_and_digests_are_refused(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> None:
    plant(folder, name, safetensors.numpy.save(arrays))
    with pytest.raises(BundleError, match=re.escape(name)):
        load_bundle(folder)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"dtype": "U999999999", "values": ["a"]}', '{"dtype": "str", "values": 3}',
     '{"dtype": "str", "values": [["a"]]}', '{"dtype": "int8", "values": [1000, 2, 3]}', "[" * 100_000],
)  # fmt: skip
def test_malformed_classes_are_refused(folder: Path, text: str) -> None:
    plant(folder, "classes.txt", text.encode())
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize("values", [[], ["RT4"], ["RT4", "RT4"]])
def test_fewer_than_two_classes_are_refused(folder: Path, values: list[str]) -> None:
    plant(folder, "classes.txt", json.dumps({"dtype": "str", "values": values}).encode())
    with pytest.raises(BundleError, match="at least 2"):
        load_bundle(folder)


@pytest.mark.parametrize("text", [b"", b"tree\n", b"\xff\xfe", b"not a model"])
def test_text_that_is_not_a_model_is_refused(tmp_path: Path, text: bytes) -> None:
    save_bundle(fitted_bundle("lightgbm"), tmp_path / "bundle")
    plant(tmp_path / "bundle", "lightgbm.txt", text)
    with pytest.raises(BundleError, match=r"lightgbm|LightGBM"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("classes", "RT4"),
        ("classes", [1, 2, 3]),
        ("params", []),
        ("files", ["arrays.safetensors"]),
        ("files", {"arrays.safetensors": 3}),
        ("n_views", "1"),
        ("n_views", True),
        ("embedding_dim", None),
        ("recipe", None),
        ("params", {"n_neighbors": "many"}),
        ("params", {"hidden": 3}),
        ("params", {"class_weight": ["balanced"]}),
        ("embedding_dim", 9),
        ("temperature", "hot"),
        ("temperature", -1.0),
    ],
)
def test_fields_of_another_type_or_value_are_refused(folder: Path, field: str, value: object) -> None:
    change_record(folder, lambda record: record.update({field: value}))
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["os:system", "nope"])
def test_only_heads_of_the_table_are_built(folder: Path, name: str) -> None:
    change_record(folder, lambda record: record.update(head_name=name))
    with pytest.raises(UnknownNameError, match=name):
        load_bundle(folder)


def test_refusal_names_the_folder_and_the_remedy(folder: Path) -> None:
    (folder / "classes.txt").unlink()
    with pytest.raises(CellfeatError) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)
    assert "save the head again" in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"codes": np.array([0, 1, 3])},
        {"codes": np.array([-1, 0, 1])},
        {"codes": np.array([1, 0, 1])},
        {"codes": np.array([0.0, 0.5, 1.0])},
        {"codes": np.array([0, 0, 0])},
        {"probability": np.array([0.5, 2.0, 0.1])},
        {"probability": np.array([0.5, np.nan, 0.1])},
        {"probability": np.array([0.5, 0.1])},
        {"weight": np.array([1.0, 0.0, 1.0])},
        {"weight": np.array([1.0, 1.5, 1.0])},
    ],
)
def test_arrays_that_are_not_class_scores_are_refused(changes: dict[str, np.ndarray]) -> None:
    valid = {"codes": np.array([0, 1, 2]), "probability": np.array([0.5, 0.9, 0.1]), "weight": np.ones(3)}
    restored_class_scores(valid, 3)
    with pytest.raises(HeadError):
        restored_class_scores(valid | changes, 3)


def test_folder_of_saved_heads_names_them(tmp_path: Path) -> None:
    save_bundle(fitted_bundle("knn"), tmp_path / "knn")
    with pytest.raises(CellfeatError, match=r"saved heads in .*knn"):
        load_bundle(tmp_path)


def test_result_in_the_place_of_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CellfeatError, match=r"got tuple.*bundle first"):
        save_bundle((fitted_bundle("knn"), None), tmp_path / "knn")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
