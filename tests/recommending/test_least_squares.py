import numpy as np
import pytest

from cellfeat.recommending import least_squares
from cellfeat.recommending.least_squares import FoldedLabels, predict_folds, products, scores_without_folds


def labels_of(n: int, n_classes: int = 3, n_folds: int = 5) -> FoldedLabels:
    codes = np.arange(n) % n_classes
    return FoldedLabels(codes, np.arange(n) // n_classes % n_folds, n_classes, n_folds)


def columns_of(labels: FoldedLabels, dim: int, gap: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(labels.n_classes, dim))
    return (gap * means[labels.codes] + rng.normal(size=(len(labels.codes), dim))).astype(np.float32)


def test_products_do_not_depend_on_scale_or_offset_of_columns() -> None:
    columns = columns_of(labels_of(30), 8, 1.0)
    scaled = columns * np.array([1, 100, 0.01, 3, 1, 1, 1, 1], np.float32) + 5
    np.testing.assert_allclose(products(columns), products(scaled), atol=1e-2)


def test_constant_columns_count_nothing() -> None:
    columns = columns_of(labels_of(30), 8, 1.0)
    constant = np.concatenate([columns, np.full((30, 3), 7, np.float32)], axis=1)
    np.testing.assert_allclose(products(columns), products(constant), atol=1e-3)


def test_products_of_two_pictures_add_up_to_those_of_both() -> None:
    first, second = columns_of(labels_of(40), 6, 1.0), columns_of(labels_of(40), 9, 1.0, seed=1)
    both = products(np.concatenate([first, second], axis=1))
    np.testing.assert_allclose(products(first) + products(second), both, atol=1e-3)


def test_separable_classes_are_told_apart_and_noise_is_not() -> None:
    labels = labels_of(300)
    clear = predict_folds([products(columns_of(labels, 20, 3.0))], 20, labels)
    chance = predict_folds([products(columns_of(labels, 20, 0.0))], 20, labels)
    assert scores_without_folds(clear, labels)[-1] == 1
    assert abs(scores_without_folds(chance, labels)[-1] - 1 / 3) < 0.1


def test_rare_class_keeps_its_recall() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], [270, 30])
    labels = FoldedLabels(codes, rng.permutation(np.arange(300) % 5), 2, 5)
    predicted = predict_folds([products(columns_of(labels, 10, 0.6))], 10, labels)
    recall = [(predicted[codes == code] == code).mean() for code in (0, 1)]
    assert min(recall) > 0.6


def test_predictions_of_a_fold_do_not_see_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    # The choice among penalties is scored on the other folds, whose heads were fitted on this one.
    monkeypatch.setattr(least_squares, "PENALTIES", (1.0,))
    labels = labels_of(60)
    summed = products(columns_of(labels, 5, 0.5))
    other = labels.codes.copy()
    here = labels.fold == 0
    other[here] = (other[here] + 1) % 3
    changed = FoldedLabels(other, labels.fold, 3, 5)
    before, after = (predict_folds([summed], 5, one) for one in (labels, changed))
    np.testing.assert_array_equal(before[here], after[here])


def test_score_without_a_fold_is_that_of_the_other_samples() -> None:
    labels = labels_of(45)
    predicted = np.random.default_rng(0).integers(0, 3, 45)
    others = labels.fold != 2
    recalls = [(predicted[others & (labels.codes == code)] == code).mean() for code in range(3)]
    np.testing.assert_allclose(scores_without_folds(predicted, labels)[2], np.mean(recalls))
