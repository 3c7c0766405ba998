import numpy as np

from cellfeat.recommending.choosing import TOLERANCE, Judged, best_first, best_third, chosen, cross_fitted, front
from cellfeat.recommending.least_squares import FoldedLabels


def judged(scores: dict[str, tuple[float, float]]) -> dict[str, Judged]:
    """Recipes by name, of cost and score."""
    return {name: Judged(np.zeros(1, np.int64), cost, np.full(3, score)) for name, (cost, score) in scores.items()}


def test_front_has_no_recipe_that_is_slower_and_not_better() -> None:
    found = judged({"a": (1, 0.5), "b": (2, 0.4), "c": (3, 0.7), "d": (4, 0.7), "e": (1, 0.45)})
    assert front(found) == ["a", "c"]


def test_cheapest_of_those_that_are_as_good_is_chosen() -> None:
    best = 0.8
    found = judged({"dear": (9, best), "cheap": (2, best - 0.9 * TOLERANCE), "poor": (1, best - 3 * TOLERANCE)})
    assert chosen(found) == "cheap"
    assert best_first(found)[0] == "dear"


def test_a_third_goes_on() -> None:
    found = judged({str(number): (1, number / 100) for number in range(30)})
    assert best_third(found) == [str(number) for number in range(29, 19, -1)]


def test_choice_for_a_fold_does_not_see_its_scores() -> None:
    labels = FoldedLabels(np.arange(40) % 2, np.arange(40) // 2 % 4, 2, 4)
    right, wrong = labels.codes, 1 - labels.codes
    # A recipe that is right in one fold alone would be chosen for it by its own score.
    lucky = np.where(labels.fold == 0, right, wrong)
    steady = np.where(np.arange(40) % 8 < 5, right, wrong)
    both = {"lucky": Judged.of(lucky, 1, labels), "steady": Judged.of(steady, 1, labels)}
    predicted, recipes = cross_fitted(both, [list(both)] * 4, labels)
    assert recipes[0] == "steady"
    np.testing.assert_array_equal(predicted[labels.fold == 0], steady[labels.fold == 0])


def test_best_of_many_by_chance_is_not_flattered() -> None:
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(40):
        labels = FoldedLabels(np.arange(60) % 2, np.arange(60) // 2 % 5, 2, 5)
        many = {number: Judged.of(rng.integers(0, 2, 60), 1, labels) for number in range(50)}
        predicted, _ = cross_fitted(many, [list(many)] * 5, labels)
        scores.append((Judged.of(predicted, 0, labels).score(), many[best_first(many)[0]].score()))
    honest, flattered = np.mean(scores, axis=0)
    assert flattered > 0.6
    assert abs(honest - 0.5) < 0.03
