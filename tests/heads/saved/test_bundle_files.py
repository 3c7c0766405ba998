"""Saved heads: what is saved comes back, in this version and from version 0.1."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import HeadError, MissingFileError
from cellfeat.heads.registry import HEADS
from cellfeat.heads.saved.bundle import describe_bundle, settings_of
from cellfeat.heads.saved.bundle_files import load_bundle, restored_class_scores, save_bundle
from cellfeat.heads.saved.samples_summary import SamplesSummary, Span
from cellfeat.heads.saved.training_digests import TrainingDigests
from cellfeat.statistics.conformal import ClassScores
from tests.heads.saved.fitted_bundles import (
    DIM,
    change_record,
    digests_of,
    embeddings_of,
    fitted_bundle,
    scores_of_samples,
)

SAVED_BY_0_1 = Path(__file__).parent / "saved_by_0.1"


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("n_views", [1, 4])
def test_saved_head_comes_back(tmp_path: Path, name: str, n_views: int) -> None:
    bundle = fitted_bundle(name, n_views=n_views)
    save_bundle(bundle, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    for field in ("head_name", "params", "classes", "fingerprint", "recipe", "settings", "scores", "provenance"):
        assert getattr(loaded, field) == getattr(bundle, field), field
    assert (loaded.n_views, loaded.embedding_dim) == (n_views, DIM)
    assert np.array_equal(loaded.predict_proba(embeddings_of(n_views)), bundle.predict_proba(embeddings_of(n_views)))


PREDICT_ALL = """
import sys
from pathlib import Path
import numpy as np
from cellfeat.heads.saved.bundle_files import load_bundle
folder, *names = Path(sys.argv[1]), *sys.argv[2:]
for name in names:
    np.save(folder / f"{name}.npy", load_bundle(folder / name).predict_proba(np.load(folder / "embeddings.npy")))
"""


@pytest.mark.slow
def test_loaded_heads_predict_the_same_bits_in_a_new_process(tmp_path: Path) -> None:
    bundles = {name: fitted_bundle(name, n_views=2) for name in HEADS}
    for name, bundle in bundles.items():
        save_bundle(bundle, tmp_path / name)
    np.save(tmp_path / "embeddings.npy", embeddings_of(2))
    subprocess.run([sys.executable, "-c", PREDICT_ALL, str(tmp_path), *bundles], check=True)
    for name, bundle in bundles.items():
        assert np.array_equal(np.load(tmp_path / f"{name}.npy"), bundle.predict_proba(embeddings_of(2))), name


@pytest.mark.parametrize("name", HEADS)
def test_head_saved_by_version_0_1_is_loaded(name: str) -> None:
    loaded = load_bundle(SAVED_BY_0_1 / name)
    with np.load(SAVED_BY_0_1 / "expected.npz") as expected:
        probabilities = loaded.predict_proba(expected["embeddings"])
        np.testing.assert_allclose(probabilities, expected[name], rtol=1e-9, atol=1e-12)
    assert loaded.temperature == 1.25
    assert loaded.has_seen(digests_of(7)).tolist() == [True] * 5 + [False] * 2
    assert loaded.class_scores is not None
    assert loaded.class_scores.n_groups.tolist() == [20] * 3
    assert loaded.fitted_on is None
    assert isinstance(settings_of(loaded), Settings)
    assert "balanced accuracy 0.750 [0.700, 0.800]" in describe_bundle(loaded)


def test_head_without_temperature_keeps_its_probabilities(folder: Path) -> None:
    change_record(folder, lambda record: record.pop("temperature"))
    assert load_bundle(folder).temperature == 1.0


def test_field_of_a_later_version_is_ignored(folder: Path) -> None:
    change_record(folder, lambda record: record.update(later="field"))
    assert load_bundle(folder).head_name == "knn"


def test_keys_of_the_record_stay(folder: Path) -> None:
    assert list(json.loads((folder / "bundle.json").read_text())) == [
        "format", "head_name", "params", "classes", "fingerprint", "recipe", "settings", "scores", "provenance",
        "temperature", "n_views", "embedding_dim", "fitted_on", "files", "digest",
    ]  # fmt: skip


def test_scores_for_prediction_sets_come_back(folder: Path) -> None:
    assert load_bundle(folder).class_scores is None
    scores = scores_of_samples()
    save_bundle(fitted_bundle(class_scores=scores), folder)
    loaded = load_bundle(folder).class_scores
    assert loaded is not None
    for coverage in (0.5, 0.9):
        assert (loaded.thresholds(coverage) == scores.thresholds(coverage)).all()


def test_training_digests_come_back(folder: Path) -> None:
    assert load_bundle(folder).training_digests is None
    save_bundle(fitted_bundle(training_digests=TrainingDigests.of(digests_of(5))), folder)
    loaded = load_bundle(folder).training_digests
    assert loaded is not None
    assert loaded.contains(digests_of(7)).tolist() == [True] * 5 + [False] * 2


@pytest.mark.slow
def test_parameter_that_json_cannot_represent_is_refused(tmp_path: Path) -> None:
    bundle = fitted_bundle("mlp")
    bundle.head.random_state = np.random.RandomState(0)
    with pytest.raises(HeadError, match="random_state = RandomState"):
        save_bundle(bundle, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


def test_saving_again_replaces_the_folder(folder: Path) -> None:
    save_bundle(fitted_bundle("lightgbm"), folder)
    assert load_bundle(folder).head_name == "lightgbm"
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]
    assert {path.name for path in folder.iterdir()} == {
        "bundle.json", "arrays.safetensors", "classes.txt", "lightgbm.txt",
    }  # fmt: skip


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"bundle\.json"):
        load_bundle(tmp_path / "nothing")


def test_class_scores_come_back_from_their_arrays() -> None:
    rng = np.random.default_rng(1)
    codes, groups = rng.integers(3, size=60), rng.integers(20, size=60)
    scores = ClassScores.of(rng.dirichlet(np.ones(3), 60), codes, groups)
    restored = restored_class_scores(scores.arrays(), 3)
    for coverage in (0.5, 0.75):
        assert (restored.thresholds(coverage) == scores.thresholds(coverage)).all()


def test_summary_of_the_training_samples_comes_back(tmp_path: Path) -> None:
    span = Span(0.1, 0.25, 0.5)
    summary = SamplesSummary(75, {"uint8": 75}, {"png": 75}, {"height": Span(64, 64, 80)}, {"mean of blue": span})
    save_bundle(fitted_bundle(fitted_on=summary), tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").fitted_on == summary
