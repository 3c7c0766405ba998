"""Bundles: what is saved comes back, and what is damaged, foreign or hostile is refused."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from cellfeat.errors import BundleError, CellfeatError, HeadError, MissingFileError, UnknownNameError
from cellfeat.heads.bundle import Bundle, describe_bundle, load_bundle, restored_class_scores, save_bundle
from cellfeat.heads.registry import HEADS, head_inputs, make_head
from cellfeat.heads.training_digests import SeenSamples
from cellfeat.provenance import digest_bytes, digest_json
from cellfeat.statistics.conformal import ClassScores

CLASSES = ["A-549", "HEK 293", "RT4"]
SETTINGS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [32, 16], "epochs": 60, "device": "cpu"},
    "linear_relu": {"epochs": 3, "device": "cpu"},
    "lightgbm": {"n_estimators": 3, "n_jobs": 1},
}
DIM = 8


def embeddings_of(n_views: int, n_samples: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((3, 1, DIM))
    codes = np.arange(n_samples) % 3
    return (centres[codes] + rng.standard_normal((n_samples, n_views, DIM))).astype(np.float32)


def fitted_bundle(name: str = "knn", *, n_views: int = 1, **fields: Any) -> Bundle:
    embeddings = embeddings_of(n_views)
    labels = np.array(CLASSES)[np.arange(len(embeddings)) % 3]
    head = make_head(name, SETTINGS.get(name, {}), n_views=n_views, random_state=0)
    record: dict[str, Any] = {
        "classes": CLASSES,
        "fingerprint": "sha256:" + "0" * 64,
        "recipe": {"backbone": {"name": "convnext_base"}, "passes": ["planes"]},
        "settings": SETTINGS.get(name, {}),
        "scores": {"balanced_accuracy": 0.75},
        "provenance": {"python": "3.12"},
        "n_views": n_views,
        "embedding_dim": DIM,
    }
    head.fit(head_inputs(name, embeddings), labels)
    return Bundle(head=head, head_name=name, **record | fields)


def scores_of_samples() -> ClassScores:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    return ClassScores.of(probabilities, np.arange(60) % 3, np.arange(60) // 2)


def digests_of(n_samples: int) -> np.ndarray:
    return np.array([f"{number:064x}" for number in range(n_samples)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_bundle(fitted_bundle(), tmp_path / "bundle")
    return tmp_path / "bundle"


def change_record(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change ``bundle.json`` as someone would who knows how its digest is made."""
    record = json.loads((folder / "bundle.json").read_text())
    record.pop("digest")
    change(record)
    record["digest"] = digest_json(record)
    (folder / "bundle.json").write_text(json.dumps(record))


def plant(folder: Path, name: str, content: bytes) -> None:
    """Put a file into a bundle under its right digest."""
    (folder / name).write_bytes(content)
    change_record(folder, lambda record: record["files"].update({name: digest_bytes(content)}))


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("n_views", [1, 4])
def test_everything_comes_back(tmp_path: Path, name: str, n_views: int) -> None:
    bundle = fitted_bundle(name, n_views=n_views)
    save_bundle(bundle, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    for field in ("head_name", "params", "classes", "fingerprint", "recipe", "settings", "scores", "provenance"):
        assert getattr(loaded, field) == getattr(bundle, field), field
    assert (loaded.n_views, loaded.embedding_dim) == (n_views, DIM)
    assert np.array_equal(loaded.predict_proba(embeddings_of(n_views)), bundle.predict_proba(embeddings_of(n_views)))


def test_the_scores_for_prediction_sets_come_back(folder: Path) -> None:
    assert load_bundle(folder).class_scores is None
    scores = scores_of_samples()
    save_bundle(fitted_bundle(class_scores=scores), folder)
    loaded = load_bundle(folder).class_scores
    assert loaded is not None
    for coverage in (0.5, 0.9):
        assert (loaded.thresholds(coverage) == scores.thresholds(coverage)).all()


def test_the_samples_that_it_was_fitted_on_are_known_again(folder: Path) -> None:
    assert load_bundle(folder).seen is None
    save_bundle(fitted_bundle(seen=SeenSamples.of(digests_of(5))), folder)
    seen = load_bundle(folder).seen
    assert seen is not None
    assert seen.holds(digests_of(7)).tolist() == [True] * 5 + [False] * 2
    assert seen.holds(np.array([""])).tolist() == [False]


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("fitted_views", [1, 4])
@pytest.mark.parametrize("n_views", [1, 2, 8])
def test_any_number_of_views_can_be_predicted_in_any_order(name: str, fitted_views: int, n_views: int) -> None:
    bundle = fitted_bundle(name, n_views=fitted_views)
    embeddings = embeddings_of(n_views)
    probabilities = bundle.predict_proba(embeddings)
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(bundle.predict_proba(embeddings[:, ::-1]), probabilities, rtol=1e-3, atol=1e-5)
    if name not in ("dummy", "linear_relu"):
        assert np.mean(np.array(bundle.predict(embeddings)) == np.array(CLASSES)[np.arange(60) % 3]) > 0.8


@pytest.mark.parametrize("name", ["mlp"])
def test_other_views_than_at_fitting_give_the_mean_over_single_views(name: str) -> None:
    bundle = fitted_bundle(name, n_views=4)
    embeddings = embeddings_of(2)
    single = [bundle.predict_proba(embeddings[:, [view]]) for view in range(2)]
    np.testing.assert_allclose(bundle.predict_proba(embeddings), np.mean(single, axis=0), rtol=1e-12)


def test_a_class_that_the_head_was_not_shown_has_probability_zero() -> None:
    bundle = fitted_bundle(classes=["RT4", "U2OS", "A-549", "HEK 293"])
    probabilities = bundle.predict_proba(embeddings_of(1))
    assert np.array_equal(probabilities[:, [2, 3, 0]], fitted_bundle().predict_proba(embeddings_of(1)))
    assert not probabilities[:, 1].any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": ["A-549", "RT4"]}, "does not name: \\['HEK 293'\\]"),
        ({"classes": [*CLASSES, "RT4"]}, "each class once"),
        ({"embedding_dim": 9}, "takes 8 columns"),
        ({"temperature": 0.0}, "temperature: expected 0.05 to 20"),
    ],
)
def test_fields_that_do_not_fit_the_head_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        fitted_bundle(**fields)


@pytest.mark.parametrize("shape", [(5, DIM), (5, 1, DIM + 1), (5, 0, DIM)])
def test_embeddings_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(HeadError, match="expected embeddings of shape"):
        fitted_bundle().predict_proba(np.zeros(shape, np.float32))


def test_a_parameter_that_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    bundle = fitted_bundle("mlp")
    bundle.head.random_state = np.random.RandomState(0)
    with pytest.raises(HeadError, match="the parameter random_state = RandomState"):
        save_bundle(bundle, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_saving_again_replaces_the_bundle_and_leaves_nothing_else(folder: Path) -> None:
    save_bundle(fitted_bundle("lightgbm"), folder)
    assert load_bundle(folder).head_name == "lightgbm"
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
    assert {path.name for path in folder.iterdir()} == {
        "bundle.json", "arrays.safetensors", "classes.txt", "lightgbm.txt",
    }  # fmt: skip


def test_a_folder_without_a_bundle_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"bundle\.json does not exist"):
        load_bundle(tmp_path / "nothing")


@pytest.mark.parametrize(
    "name",
    [
        "bundle.json",
        "arrays.safetensors",
        "scores.safetensors",
        "samples.safetensors",
        "classes.txt",
        "lightgbm.txt",
    ],
)
def test_any_changed_byte_is_refused(tmp_path: Path, name: str) -> None:
    bundle = fitted_bundle("lightgbm", class_scores=scores_of_samples(), seen=SeenSamples.of(digests_of(3)))
    save_bundle(bundle, tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    original = path.read_bytes()
    for position in np.random.default_rng(0).integers(len(original), size=25):
        changed = bytearray(original)
        changed[position] ^= 1
        path.write_bytes(changed)
        if name == "bundle.json" and same_json(changed, original):
            continue  # white space between the fields means nothing
        with pytest.raises(BundleError, match=re.escape(name)):
            load_bundle(tmp_path / "bundle")


def same_json(first: bytes, second: bytes) -> bool:
    try:
        return bool(json.loads(first) == json.loads(second))
    except ValueError:
        return False


@pytest.mark.parametrize("name", ["arrays.safetensors", "classes.txt"])
def test_missing_and_truncated_files_are_named(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"{name} is damaged or was changed: expected sha256:"):
        load_bundle(folder)
    path.unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_bundle(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_format_is_refused(folder: Path, version: object) -> None:
    change_record(folder, lambda record: record.update(format=version))
    with pytest.raises(BundleError, match="expected format 1 of a saved head"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b"{", b"\xff\xfe", b"[" * 100_000, b'{"format": 1, "x": NaN}', b'{"format": 1}']
)
def test_a_record_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        load_bundle(folder)


def test_a_record_of_16_megabytes_is_refused(folder: Path) -> None:
    (folder / "bundle.json").write_bytes(b" " * 16_000_001)
    with pytest.raises(BundleError, match="expected at most 16000000 bytes"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "a/b.txt", "a\\b.txt", "..", "x.pkl", "x.txt\n", ""])
def test_a_file_name_that_leads_elsewhere_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    change_record(folder, lambda record: record["files"].update({name: digest_bytes(b"secret")}))
    with pytest.raises(BundleError, match=r"expected arrays\.safetensors and NAME\.txt"):
        load_bundle(folder)


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(Exploit.mark),))

    mark = ""


def test_a_pickle_under_the_name_of_the_arrays_is_refused_and_not_run(folder: Path) -> None:
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
def test_arrays_that_are_none_are_refused(folder: Path, content: bytes) -> None:
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
    with pytest.raises(BundleError, match="not a saved head 'knn'"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "arrays",
    [{}, {"codes": np.array([3]), "probability": np.ones(1), "weight": np.ones(1)}],
)
def test_scores_that_do_not_fit_the_classes_are_refused(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    plant(folder, "scores.safetensors", safetensors.numpy.save(arrays))
    with pytest.raises(BundleError, match=r"scores\.safetensors: not the file of a saved head"):
        load_bundle(folder)


@pytest.mark.parametrize("arrays", [{}, {"pixel_digest": np.ones(32)}, {"pixel_digest": np.ones((1, 32))}])
def test_samples_that_are_no_digests_are_refused(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    plant(folder, "samples.safetensors", safetensors.numpy.save(arrays))
    with pytest.raises(BundleError, match=r"samples\.safetensors: not the file of a saved head"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"dtype": "U999999999", "values": ["a"]}', '{"dtype": "str", "values": 3}',
     '{"dtype": "str", "values": [["a"]]}', '{"dtype": "int8", "values": [1000, 2, 3]}', "[" * 100_000],
)  # fmt: skip
def test_classes_that_are_none_are_refused(folder: Path, text: str) -> None:
    plant(folder, "classes.txt", text.encode())
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize("values", [[], ["RT4"], ["RT4", "RT4"]])
def test_fewer_classes_than_two_are_refused(folder: Path, values: list[str]) -> None:
    plant(folder, "classes.txt", json.dumps({"dtype": "str", "values": values}).encode())
    with pytest.raises(BundleError, match="expected at least 2, each once"):
        load_bundle(folder)


@pytest.mark.parametrize("fields", [{"recipe": {"backbone": "x"}}, {"scores": {"balanced_accuracy": 0.5}}])
def test_a_recipe_and_scores_that_cannot_be_told_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="not as cellfeat writes them"):
        describe_bundle(fitted_bundle(**fields))


@pytest.mark.parametrize("text", [b"", b"tree\n", b"\xff\xfe", b"not a model"])
def test_a_text_that_is_no_model_is_refused(tmp_path: Path, text: bytes) -> None:
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


def test_a_head_saved_before_there_were_temperatures_keeps_its_probabilities(folder: Path) -> None:
    change_record(folder, lambda record: record.pop("temperature"))
    assert load_bundle(folder).temperature == 1.0


@pytest.mark.parametrize("name", ["os:system", "nope"])
def test_only_heads_of_the_table_are_built(folder: Path, name: str) -> None:
    change_record(folder, lambda record: record.update(head_name=name))
    with pytest.raises(UnknownNameError, match="no head is named"):
        load_bundle(folder)


def test_every_refusal_can_be_shown_as_one_message(folder: Path) -> None:
    (folder / "classes.txt").unlink()
    with pytest.raises(CellfeatError) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)
    assert "save the head again" in str(caught.value)


def test_scores_come_back_from_their_arrays():
    rng = np.random.default_rng(1)
    codes, groups = rng.integers(3, size=60), rng.integers(20, size=60)
    scores = ClassScores.of(rng.dirichlet(np.ones(3), 60), codes, groups)
    restored = restored_class_scores(scores.arrays(), 3)
    for coverage in (0.5, 0.75):
        assert (restored.thresholds(coverage) == scores.thresholds(coverage)).all()


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
def test_arrays_that_are_no_scores_are_refused(changes):
    sound = {"codes": np.array([0, 1, 2]), "probability": np.array([0.5, 0.9, 0.1]), "weight": np.ones(3)}
    restored_class_scores(sound, 3)
    with pytest.raises(HeadError):
        restored_class_scores(sound | changes, 3)
