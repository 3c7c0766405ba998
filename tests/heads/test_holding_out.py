"""Samples that are held out for a choice, and the losses that are compared on them."""

import numpy as np
import pytest

from cellfeat.heads import holding_out
from cellfeat.heads.holding_out import divided, first_close_to_best, tempered_losses


def test_a_third_of_each_class_is_held_out_whatever_the_order():
    rng = np.random.default_rng(0)
    codes, sums = np.repeat([0, 1, 2], [90, 30, 1]), rng.standard_normal(121)
    fitted, held_out = divided(codes, sums)
    assert np.bincount(codes[held_out], minlength=3).tolist() == [30, 10, 0]
    assert sorted([*fitted, *held_out]) == list(range(121))
    order = rng.permutation(121)
    assert set(order[divided(codes[order], sums[order])[1]]) == set(held_out)


def test_many_samples_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr(holding_out, "MOST_SAMPLES", 40)
    codes = np.repeat([0, 1], [80, 40])
    fitted, held_out = divided(codes, np.arange(120.0))
    assert len(fitted) + len(held_out) == 40
    assert np.bincount(codes[[*fitted, *held_out]]).tolist() == pytest.approx([27, 13], abs=1)


@pytest.mark.parametrize("codes", [np.arange(59) % 2, np.arange(80), np.minimum(np.arange(80), 60)])
def test_too_few_samples_are_not_divided(codes):
    assert divided(codes, np.arange(float(len(codes)))) is None


def test_scale_of_the_logits_does_not_matter():
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=200)
    logits = rng.standard_normal((3, 200)) + 2 * (np.arange(3)[:, None] == codes)
    weights = np.ones(200)
    plain, sure = (tempered_losses(scale * logits, codes, weights) for scale in (1, 4))
    np.testing.assert_allclose(sure.mean(), plain.mean(), rtol=1e-3)
    assert plain.mean() < np.log(3)


@pytest.mark.parametrize(("means", "first"), [([1.0, 0.99, 0.98], 0), ([1.0, 0.5, 0.49], 1), ([1.0, 0.9, 0.2], 2)])
def test_first_value_within_one_standard_error_of_the_best_is_taken(means, first):
    rng = np.random.default_rng(0)
    assert first_close_to_best([mean + rng.standard_normal(400) for mean in means]) == first
