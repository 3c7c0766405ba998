import numpy as np
import pytest
from scipy.special import softmax

from cellfeat.statistics.temperature import fit_temperature, tempered


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_true_temperature_is_found(temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 4))
    truth = softmax(logits / temperature, axis=1)
    codes = (truth.cumsum(axis=1) > rng.random((len(truth), 1))).argmax(axis=1)
    assert fit_temperature(softmax(logits, axis=1), codes) == pytest.approx(temperature, rel=0.05)


def test_tempering_equals_dividing_the_logits():
    logits = np.random.default_rng(0).normal(0, 3, (50, 5))
    assert tempered(softmax(logits, axis=1), 2.5) == pytest.approx(softmax(logits / 2.5, axis=1))


@pytest.mark.parametrize("temperature", [0.05, 0.7, 20.0])
def test_most_probable_class_stays(temperature):
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(4), 500)
    close = np.full((2, 3), 0.3)
    close[0, 2], close[1, 0] = np.nextafter(0.3, 1), np.nextafter(0.3, 0)
    for probabilities in (rows, close):
        out = tempered(probabilities, temperature)
        assert (out.argmax(axis=1) == probabilities.argmax(axis=1)).all()
        assert out.sum(axis=1) == pytest.approx(1)


def test_probabilities_of_zero_are_softened():
    votes = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    fitted = tempered(votes, fit_temperature(votes, np.array([0, 0, 0, 1])))
    assert fitted == pytest.approx(np.tile([0.75, 0.25], (4, 1)), abs=0.01)


def test_zero_does_not_exceed_a_small_probability():
    assert (np.diff(tempered(np.array([[0.0, 1e-9, 1 - 1e-9]]), 2.0)) >= 0).all()


def test_useless_temperature_is_1():
    assert fit_temperature(np.full((10, 2), 0.5), np.arange(10) % 2) == 1.0
