import pytest

from cellfeat.evaluation.tuning.halving import FEWEST_SAMPLES, FINALISTS, candidates, rungs


def test_candidates_begin_with_the_given_settings_and_do_not_repeat():
    space = {"a": [1, 2, 3], "b": [0.1, 0.2], "c": [None, "x"]}
    given = {"a": 2, "b": 0.1, "c": None}
    drawn = candidates(space, given | {"fixed": 7}, 8, random_state=0)
    assert len(drawn) == 8
    assert drawn[0] == {}
    assert len({str(settings) for settings in drawn}) == 8
    assert all(settings.get("a") != 2 and settings.get("c", 0) is not None for settings in drawn)
    assert drawn == candidates(space, given, 8, random_state=0)
    assert drawn != candidates(space, given, 8, random_state=1)


def test_small_space_is_taken_whole():
    assert candidates({"a": [1, 2, 3]}, {"a": 5}, 100, 0) == [{}, {"a": 1}, {"a": 2}, {"a": 3}]
    assert candidates({}, {"a": 5}, 100, 0) == [{}]


@pytest.mark.parametrize("n_train", [50, 999, 3000, 10_000, 1_000_000])
def test_rungs_grow_in_samples_and_shrink_in_candidates(n_train):
    for n_candidates in (1, 2, 3, 4, 9, 26, 27, 100):
        plan = rungs(n_candidates, n_train)
        assert plan[0].n_candidates == n_candidates
        assert plan[-1].fraction == 1
        fractions = [rung.fraction for rung in plan]
        assert fractions == sorted(set(fractions))
        assert all(rung.fraction * n_train >= FEWEST_SAMPLES for rung in plan[:-1])
        budgets = [rung.fraction * rung.n_candidates for rung in plan]
        assert max(budgets) <= budgets[0] + 1 or len(plan) == 1
        assert plan[-1].n_candidates >= min(n_candidates, FINALISTS)


def test_few_samples_are_not_thinned():
    assert [rung.fraction for rung in rungs(27, 900)] == [1.0]
