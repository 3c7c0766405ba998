"""What every head in the table must do: scikit-learn's own checks, and further ones for the same heads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import recall_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from cellfeat.errors import HeadError
from cellfeat.evaluation.tuning.halving import candidates
from cellfeat.heads.preprocessing.transforms import ROW_STEPS
from cellfeat.heads.registry import HEADS, SKLEARN_PREFIX, head_inputs, make_head, restore_head, search_space
from cellfeat.heads.scikit_learn.entries import IN_THREADS, SEARCH_SPACES, classifiers, needed_parameters
from cellfeat.heads.state import recorded_params

TREES = {"colsample_bytree": 0.5, "reg_lambda": 1.0, "n_jobs": 1}
TRAINED: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": 32, "epochs": 8, "learning_rate": 0.004, "device": "cpu"},
    "linear_relu": {"epochs": 5, "device": "cpu"},
    "lightgbm": {"n_estimators": 30, **TREES},
}
"""Settings under which a head learns a few hundred rows."""

QUICK: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": 8, "epochs": 1, "device": "cpu"},
    "linear_relu": {"epochs": 1, "device": "cpu"},
    "lightgbm": {"n_estimators": 2, **TREES},
}
"""Settings for tests that do not depend on what a head has learned."""

CLASSIFIERS = [f"{SKLEARN_PREFIX}{name}" for name, kind in classifiers().items() if not needed_parameters(kind)]
NOT_FOR_EMBEDDINGS = {
    "CategoricalNB": "Negative values",
    "ComplementNB": "Negative values",
    "LabelPropagation": "no probability",
    "LabelSpreading": "no probability",
    "MultinomialNB": "Negative values",
    "QuadraticDiscriminantAnalysis": "not full rank",
    "RadiusNeighborsClassifier": "No neighbors",
}
"""Classifiers of scikit-learn that cannot predict standardised embeddings with their defaults, and why."""

QUICK |= {
    f"{SKLEARN_PREFIX}{name}": {"n_estimators": 3}
    for name in ("AdaBoostClassifier", "BaggingClassifier", "GradientBoostingClassifier")
}
QUICK |= {f"{SKLEARN_PREFIX}{name}": {"n_estimators": 5, "n_jobs": 1} for name in sorted(IN_THREADS)}
QUICK[f"{SKLEARN_PREFIX}HistGradientBoostingClassifier"] = {"max_iter": 3, "min_samples_leaf": 2}
QUICK[f"{SKLEARN_PREFIX}MLPClassifier"] = {"hidden_layer_sizes": [8], "max_iter": 20}
QUICK[f"{SKLEARN_PREFIX}LogisticRegressionCV"] = {"Cs": 2, "cv": 2}

FITTING = [name for name in CLASSIFIERS if name.removeprefix(SKLEARN_PREFIX) not in NOT_FOR_EMBEDDINGS]
EVERY_HEAD = [*HEADS, *FITTING]

LEARNING_HEADS = [name for name in HEADS if name != "dummy"]
BALANCED_HEADS = [name for name in LEARNING_HEADS if name != "linear_relu"]
WEIGHTED_HEADS = [
    name for name in BALANCED_HEADS if "class_weight" in make_head(name, {}, n_views=1, random_state=0).get_params()
]

ACCURACY_CHECKS = {
    "check_classifiers_train",
    "check_classifiers_classes",
    "check_class_weight_classifiers",
    "check_supervised_y_2d",
}
"""Checks of scikit-learn that compare predictions with the truth."""


def quick_head(name: str, *, n_views: int = 1, random_state: int = 0, **settings: Any) -> Any:
    return make_head(name, QUICK.get(name, {}) | settings, n_views=n_views, random_state=random_state)


def trained_head(name: str, *, n_views: int = 1, **settings: Any) -> Any:
    return make_head(name, TRAINED.get(name, {}) | settings, n_views=n_views, random_state=0)


def clusters(
    *, n_samples: int = 240, n_classes: int = 3, dim: int = 32, distance: float = 6.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Gaussian clusters whose centres are `distance` from the origin in random directions."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n_samples) % n_classes
    centres = rng.standard_normal((n_classes, dim))
    centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
    return (centres[codes] + rng.standard_normal((n_samples, dim))).astype(np.float32), codes


@parametrize_with_checks([quick_head(name) for name in HEADS])
def test_passes_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    if check.func.__name__ in ACCURACY_CHECKS:
        name = next(name for name in HEADS if type(make_head(name, {})) is type(estimator))
        estimator = trained_head(name)
    check(estimator)


SEARCHED = sorted([*(name for name in HEADS if search_space(name)), *(SKLEARN_PREFIX + name for name in SEARCH_SPACES)])


def test_default_heads_can_be_tuned() -> None:
    assert set(SEARCHED) >= {"mlp", "logreg", "lightgbm", "knn"}


@pytest.mark.parametrize("name", SEARCHED)
def test_every_value_of_the_search_space_is_accepted_and_recorded(name: str) -> None:
    for setting, values in search_space(name).items():
        assert len(values) >= 2
        for value in values:
            head = make_head(name, {setting: value}, random_state=0)
            head._check_parameters()
            assert recorded_params(head)[setting] == value


@pytest.mark.parametrize("name", SEARCHED)
def test_drawn_settings_can_be_fitted(name: str) -> None:
    X, y = clusters(n_samples=60)
    kept = ("epochs", "device", "n_jobs", "n_estimators", "max_iter")
    quick = {key: value for key, value in QUICK.get(name, {}).items() if key in kept}
    given = recorded_params(make_head(name, quick, random_state=0))
    for settings in candidates(search_space(name), given, 3, random_state=0):
        probabilities = make_head(name, quick | settings, random_state=0).fit(X, y).predict_proba(X)
        assert np.isfinite(probabilities).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNING_HEADS)
@pytest.mark.parametrize(
    "labels",
    [["HEK 293", "A-549 ü", "CACO-2"], [2, 7, 40], [-5, -1, 3], [True, False]],
    ids=["text with spaces", "gapped integers", "negative integers", "booleans"],
)
def test_predicts_the_given_labels(name: str, labels: list[Any]) -> None:
    X, codes = clusters(n_classes=len(labels))
    y = np.array(labels)[codes]
    head = trained_head(name, **({"epochs": 30} if name == "linear_relu" else {})).fit(X, y)
    predicted = head.predict(X)
    assert np.array_equal(predicted, head.classes_[head.predict_proba(X).argmax(axis=1)])
    assert predicted.dtype == y.dtype
    assert np.mean(predicted == y) > (0.6 if name == "linear_relu" else 0.95)


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_probabilities_are_float64_and_sum_to_one(name: str) -> None:
    X, y = clusters()
    probabilities = quick_head(name).fit(X, y).predict_proba(X[:50])
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (50, 3)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_memory_layout_and_precision_of_X_do_not_matter(name: str) -> None:
    X, y = clusters()
    expected = quick_head(name).fit(X, y).predict_proba(X)
    for same in (X.astype(np.float64), np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        assert np.array_equal(quick_head(name).fit(same, y).predict_proba(same), expected)


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_same_seed_gives_the_same_probabilities(name: str) -> None:
    X, y = clusters(distance=2.0)
    head = quick_head(name, random_state=3)
    first = head.fit(X, y).predict_proba(X)
    assert np.array_equal(head.fit(X, y).predict_proba(X), first)
    assert np.array_equal(clone(head).fit(X, y).predict_proba(X), first)


@pytest.mark.parametrize("name", ["mlp", "linear_relu"])
def test_another_seed_gives_another_network(name: str) -> None:
    X, y = clusters(distance=2.0)
    first, second = (quick_head(name, random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_global_random_state_and_threads_are_neither_used_nor_changed(name: str) -> None:
    X, y = clusters(n_samples=60)
    expected = quick_head(name).fit(X, y).predict_proba(X)
    torch.manual_seed(1234)
    np.random.seed(1234)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads(), torch.get_default_dtype()
    assert np.array_equal(quick_head(name).fit(X, y).predict_proba(X), expected)
    after = torch.get_rng_state(), np.random.get_state()[1], torch.get_num_threads(), torch.get_default_dtype()
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_probabilities_of_a_sample_do_not_depend_on_other_samples(name: str) -> None:
    X, y = clusters(distance=2.0)
    head = quick_head(name).fit(X, y)
    alone = np.concatenate([head.predict_proba(X[row : row + 1]) for row in range(20)])
    np.testing.assert_allclose(head.predict_proba(X)[:20], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", BALANCED_HEADS)
def test_constant_columns_do_no_harm(name: str) -> None:
    X, y = clusters()
    X[:, ::4] = 1e4
    head = trained_head(name).fit(X, y)
    assert head.score(X, y) > 0.9
    assert np.isfinite(head.predict_proba(X + 1)).all()


@pytest.mark.parametrize("name", BALANCED_HEADS)
def test_scale_of_a_column_does_not_matter(name: str) -> None:
    X, y = clusters(distance=3.0)
    scaled = X * np.logspace(-3, 3, X.shape[1], dtype=np.float32)
    expected = trained_head(name).fit(X, y).predict(X)
    assert np.mean(trained_head(name).fit(scaled, y).predict(scaled) == expected) > 0.97


@pytest.mark.parametrize("name", ["logreg", "knn", "dummy"])
def test_order_of_the_columns_does_not_matter(name: str) -> None:
    X, y = clusters(distance=3.0)
    order = np.random.default_rng(1).permutation(X.shape[1])
    expected = trained_head(name).fit(X, y).predict_proba(X)
    reordered = trained_head(name).fit(X[:, order], y).predict_proba(X[:, order])
    np.testing.assert_allclose(reordered, expected, atol=2e-3)


@pytest.mark.parametrize("name", HEADS)
def test_order_of_the_samples_hardly_changes_predictions(name: str) -> None:
    X, y = clusters()
    order = np.random.default_rng(1).permutation(len(X))
    expected = trained_head(name).fit(X, y).predict(X)
    reordered = trained_head(name).fit(X[order], y[order]).predict(X)
    assert np.mean(reordered == expected) > (0.9 if name != "linear_relu" else 0.5)


@pytest.mark.parametrize("name", WEIGHTED_HEADS)
def test_rare_class_keeps_its_recall(name: str) -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(660) % 11 == 0).astype(int)
    X = rng.standard_normal((660, 8)).astype(np.float32)
    X[:, 0] += 2.2 * y
    fresh, truth = X[330:], y[330:]
    balanced, plain = (
        recall_score(truth, trained_head(name, class_weight=weight).fit(X[:330], y[:330]).predict(fresh))
        for weight in ("balanced", None)
    )
    assert balanced >= max(0.4, plain)


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_numbers_that_are_not_finite_are_refused_with_their_rows(name: str) -> None:
    X, y = clusters(n_samples=60)
    head = quick_head(name).fit(X, y)
    for hole in (np.nan, np.inf, -np.inf, 1e300):
        broken = X.astype(np.float64)
        broken[7, 3] = hole
        with pytest.raises(HeadError, match=r"1 of 60 rows: 7; expected finite"):
            quick_head(name).fit(broken, y)
        with pytest.raises(HeadError, match=r"1 of 60 rows: 7"):
            head.predict(broken)


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_single_class_is_refused(name: str) -> None:
    X, _ = clusters(n_samples=30)
    with pytest.raises(HeadError, match=r"at least 2 classes.*'A549'"):
        quick_head(name).fit(X, ["A549"] * 30)


@pytest.mark.parametrize("name", HEADS)
def test_few_samples_and_columns_are_enough(name: str) -> None:
    X, y = clusters(n_samples=5, n_classes=2, dim=2)
    assert quick_head(name).fit(X, y).predict_proba(X).shape == (5, 2)


@pytest.mark.parametrize("name", EVERY_HEAD)
def test_order_of_the_views_does_not_matter(name: str) -> None:
    X, y = clusters(distance=2.5)
    rng = np.random.default_rng(1)
    embeddings = X[:, None, :] + rng.standard_normal((len(X), 4, X.shape[1])).astype(np.float32)
    head = quick_head(name, n_views=4).fit(head_inputs(name, embeddings), y)
    expected = head.predict_proba(head_inputs(name, embeddings))
    shuffled = head.predict_proba(head_inputs(name, embeddings[:, [2, 0, 3, 1]]))
    np.testing.assert_allclose(shuffled, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in HEADS if HEADS[name].views == "own"])
def test_columns_that_the_views_do_not_divide_are_refused(name: str) -> None:
    with pytest.raises(HeadError, match=r"32 columns.*n_views = 3"):
        quick_head(name, n_views=3).fit(*clusters())


TRANSFORMING_HEADS = [name for name in HEADS if "feature_transform" in make_head(name, {}).get_params()]


def test_all_heads_that_standardise_take_other_transforms() -> None:
    assert TRANSFORMING_HEADS == ["mlp", "logreg", "lightgbm", "knn"]


@pytest.mark.slow
@pytest.mark.parametrize("name", TRANSFORMING_HEADS)
@pytest.mark.parametrize("transform", ROW_STEPS)
def test_every_transform_is_learned_saved_and_restored(name: str, transform: str) -> None:
    X, y = clusters(distance=4.0)
    views = np.concatenate([X, X], axis=1) if HEADS[name].views == "own" else X
    some = {"feature_components": 8} if transform in ("pca", "whiten") else {}
    head = trained_head(name, n_views=2, feature_transform=transform, **some).fit(views[:160], y[:160])
    probabilities = head.predict_proba(views[160:])
    assert np.mean(head.classes_[probabilities.argmax(axis=1)] == y[160:]) > 0.8
    assert np.array_equal(clone(head).set_state(head.get_state()).predict_proba(views[160:]), probabilities)


@pytest.mark.parametrize("name", TRANSFORMING_HEADS)
def test_unknown_transform_is_refused_with_the_near_name(name: str) -> None:
    with pytest.raises(HeadError, match="did you mean 'whiten'"):
        quick_head(name, feature_transform="whitened").fit(*clusters(n_samples=60))


@pytest.mark.parametrize("name", HEADS)
def test_state_contains_only_arrays_of_numbers_and_text_and_needs_them_all(name: str) -> None:
    X, y = clusters(n_samples=60)
    head = quick_head(name).fit(X, y)
    state = head.get_state()
    assert all(type(array) is np.ndarray and array.dtype.kind in "if" for array in state.arrays.values())
    assert all(type(text) is str for text in state.texts.values())
    for part in (*state.arrays, *state.texts):
        incomplete = head.get_state()
        incomplete.arrays.pop(part, None)
        incomplete.texts.pop(part, None)
        with pytest.raises(HeadError, match=f"(array|text) '{part}'"):
            clone(head).set_state(incomplete)


@pytest.mark.parametrize("name", sorted(NOT_FOR_EMBEDDINGS))
def test_classifier_that_cannot_take_embeddings_says_why(name: str) -> None:
    X, y = clusters(n_samples=60)
    with pytest.raises(HeadError, match=rf"{name}.*{NOT_FOR_EMBEDDINGS[name]}"):
        quick_head(f"{SKLEARN_PREFIX}{name}").fit(X[:40], y[:40]).predict_proba(X[40:])


@pytest.mark.slow
@pytest.mark.parametrize("name", FITTING)
def test_classifier_of_scikit_learn_is_restored_exactly(name: str) -> None:
    pytest.importorskip("skops")
    X, y = clusters(n_samples=60)
    head = quick_head(name).fit(X, np.array(["HeLa", "A549", "U-2 OS"])[y])
    restored = restore_head(name, recorded_params(head), head.get_state())
    assert np.array_equal(restored.predict_proba(X), head.predict_proba(X))
    assert restored.classes_.tolist() == ["A549", "HeLa", "U-2 OS"]
    assert recorded_params(restored) == recorded_params(head)


@pytest.mark.parametrize("name", FITTING)
def test_classifier_of_scikit_learn_learns(name: str) -> None:
    X, y = clusters(n_samples=120)
    head = quick_head(name).fit(X[:80], y[:80])
    assert np.mean(head.predict(X[80:]) == y[80:]) > (0.2 if name.endswith("DummyClassifier") else 0.6)


def test_docs_list_the_classifiers_that_are_no_heads() -> None:
    text = (Path(__file__).parents[2] / "docs/guide/heads-and-tuning.md").read_text()
    unusable = [*NOT_FOR_EMBEDDINGS, *(name for name, kind in classifiers().items() if needed_parameters(kind))]
    assert [name for name in unusable if f"`{name}`" not in text] == []
