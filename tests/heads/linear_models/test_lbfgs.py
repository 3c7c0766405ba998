"""The minimiser: minima of known functions, alone and in step with others."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from cellfeat.heads.linear_models.lbfgs import Precision, lbfgs, minimise_together


def quadratic(curvatures, centre):
    def evaluate(point):
        away = point - centre
        return float(0.5 * curvatures @ away**2), (curvatures * away).astype(np.float32)

    return evaluate


def minimise(functions, starts, **options):
    options = {"max_iter": 200, "precision": Precision(gradient=1e-5)} | options
    searches = [lbfgs(np.asarray(start, np.float32), **options) for start in starts]
    return minimise_together(
        searches,
        lambda numbers, points: [functions[number](point) for number, point in zip(numbers, points, strict=True)],
    )


def test_minimum_of_a_stretched_quadratic_is_found():
    centre = np.linspace(-1, 1, 20)
    (found,) = minimise([quadratic(np.geomspace(0.01, 10, 20), centre)], [np.zeros(20)])
    assert found.converged
    np.testing.assert_allclose(found.point, centre, atol=5e-3)


@pytest.mark.parametrize("decrease", [1e-2, 1e-4])
def test_search_ends_at_about_the_wanted_distance_of_the_loss(decrease):
    function = quadratic(np.geomspace(0.01, 10, 20), np.linspace(-1, 1, 20))
    (found,) = minimise([function], [np.zeros(20)], precision=Precision(gradient=0.0, decrease=decrease))
    (exact,) = minimise([function], [np.zeros(20)])
    assert found.converged
    assert found.n_iter < exact.n_iter
    assert function(found.point)[0] < 20 * decrease


def test_too_long_steps_are_shortened():
    """Far steeper than a step of length 1 allows, and infinite beyond: the first trial must not be taken."""

    def steep(point):
        if np.abs(point).max() > 5:
            return np.inf, np.full_like(point, np.nan)
        return float(np.cosh(3 * (point - 1)).sum()), (3 * np.sinh(3 * (point - 1))).astype(np.float32)

    (found,) = minimise([steep], [[-1.0, 2.0]])
    assert found.converged
    np.testing.assert_allclose(found.point, 1, atol=1e-3)


def test_curved_valley_takes_about_as_many_steps_as_scipy():
    start = np.array([-1.2, 1.0])
    (found,) = minimise([lambda point: (float(rosen(point)), rosen_der(point).astype(np.float32))], [start])
    np.testing.assert_allclose(found.point, 1, atol=1e-2)
    assert found.n_iter < 2 * minimize(rosen, start, jac=rosen_der, method="L-BFGS-B").nit


def test_problems_in_step_find_what_they_find_alone():
    functions = [quadratic(np.geomspace(0.1, scale, 6), np.arange(6.0)) for scale in (1, 10, 1000)]
    together = minimise(functions, [np.zeros(6)] * 3)
    alone = [minimise([function], [np.zeros(6)])[0] for function in functions]
    assert len({one.n_iter for one in together}) > 1, "they end after different numbers of steps"
    for one, other in zip(together, alone, strict=True):
        assert one.n_iter == other.n_iter
        np.testing.assert_array_equal(one.point, other.point)


@pytest.mark.parametrize("max_iter", [1, 3])
def test_search_stops_after_the_maximum_of_steps(max_iter):
    (found,) = minimise([quadratic(np.geomspace(0.001, 100, 20), np.ones(20))], [np.zeros(20)], max_iter=max_iter)
    assert not found.converged
    assert found.n_iter == max_iter


def test_search_ends_where_rounding_hides_the_minimum():
    """A loss far from 0, whose float32 gradient never reaches the tolerance."""
    rng = np.random.default_rng(0)

    def noisy(point):
        noise = 1e-3 * rng.standard_normal(len(point))
        return 1e4 + float(0.5 * point @ point), (point + noise).astype(np.float32)

    (found,) = minimise([noisy], [np.ones(8)], precision=Precision(gradient=1e-9), max_iter=1000)
    assert found.converged
    assert found.n_iter < 100
