import numpy as np
import pytest

from cellfeat.heads.linear_models import threads
from cellfeat.heads.linear_models.logreg import LogisticRegressionHead


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    y = np.arange(3000) % 4
    return (rng.standard_normal((3000, 40)) + y[:, None] * rng.random(40)).astype(np.float32), y


def test_parts_come_in_order(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 4)
    assert list(threads.in_threads(lambda part: part**2, range(50))) == [part**2 for part in range(50)]


def test_number_of_threads_changes_no_bit(rows, monkeypatch):
    coefs = []
    for number in (1, 2, 5):
        monkeypatch.setattr(threads, "n_threads", lambda number=number: number)
        coefs.append(LogisticRegressionHead().fit(*rows).coef_)
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])


@pytest.mark.parametrize(("given", "expected"), [("1", 1), ("2,1", 2), ("64", 8), ("", 8), ("many", 8)])
def test_threads_are_limited_as_openmp_is(given, expected, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(threads, "usable_processors", lambda: 8)
    assert threads.n_threads() == expected
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads.n_threads() == 8
