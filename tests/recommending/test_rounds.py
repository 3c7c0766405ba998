"""How many samples a round takes."""

from types import SimpleNamespace

import numpy as np
import pytest

from cellfeat.recommending.choosing import Judged
from cellfeat.recommending.clock import Clock
from cellfeat.recommending.contest import Contest, Stage
from cellfeat.recommending.least_squares import FoldedLabels
from cellfeat.recommending.recipes import Recipe, Source
from cellfeat.recommending.rounds import BASELINE_SHARE, FEWEST_FIRST, ROUNDS, Halving

N = 1500
LABELS = FoldedLabels(np.arange(N) % 2, np.arange(N) % 5, 2, 5)
CHEAP, DEAR = (Recipe(Source(name, 64, "none"), "norm", "planes", 1) for name in ("cheap", "dear"))


class Samples:
    """A part of `N` samples."""

    labels = LABELS

    def __len__(self) -> int:
        return N

    def first(self, share: float, _seed: int) -> np.ndarray:
        return np.arange(round(share * N))


def halving(seconds: float) -> Halving:
    """Rounds of 100 s, in which a forward of the cheap network takes so long, and ten times as long of the dear one."""
    embeddings = SimpleNamespace(
        needs=lambda _: {0: 1},
        loading_seconds=lambda source: 10.0 if source.backbone == "dear" else 0.0,
        n_missing=lambda _source, _wanted, rows: len(rows),
        seconds_per_forward=lambda source: seconds * (10 if source.backbone == "dear" else 1),
    )
    clock = Clock(100.0, now=lambda: 0.0)
    return Halving(Samples(), embeddings, clock, seed=0, say=lambda _: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "n"), [(0.001, 500), (0.1, 190), (10.0, FEWEST_FIRST)])
def test_first_round_has_time_for_its_cheapest_recipes(seconds: float, n: int) -> None:
    stage = halving(seconds)._stage(Contest(DEAR), ROUNDS[0], [DEAR, CHEAP])
    assert len(stage.rows) == pytest.approx(n, rel=0.1)


@pytest.mark.parametrize(("seconds", "n"), [(0.001, 1000), (0.08, 810), (10.0, 500)])
def test_later_rounds_take_more_samples_where_there_is_time(seconds: float, n: int) -> None:
    contest = Contest(DEAR, [Stage(np.arange(500), LABELS)])
    stage = halving(seconds)._stage(contest, ROUNDS[1], [CHEAP])
    assert len(stage.rows) == pytest.approx(n, rel=0.1)


@pytest.mark.parametrize("is_judged", [True, False])
def test_time_is_kept_for_a_baseline_that_was_not_judged(is_judged: bool) -> None:
    rounds = halving(0.01)
    stage = Stage(np.arange(1000), LABELS)
    if is_judged:
        stage.judged[DEAR] = Judged.of(LABELS.codes, 1, LABELS)
    before = rounds._clock.left()
    rounds._keep_time_for(DEAR, stage)
    assert rounds._clock.left() == pytest.approx(before if is_judged else (1 - BASELINE_SHARE) * before)


def test_dear_baseline_is_judged_on_fewer_samples() -> None:
    rounds = halving(0.02)
    last = Stage(np.arange(1000), LABELS, {CHEAP: Judged.of(LABELS.codes, 1, LABELS)})
    contest = Contest(DEAR, [last])
    rounds._judge = lambda _, stage, recipes: stage.judged.update(  # type: ignore[method-assign]
        {one: Judged.of(stage.labels.codes, 1, stage.labels) for one in recipes}
    )
    rounds._embeddings.n_missing = lambda source, _, rows: 0 if source == CHEAP.source else len(rows)
    rounds._judge_baseline(contest)
    small = contest.with_baseline()
    assert small is not None
    assert set(small.judged) == {CHEAP, DEAR}
    assert len(small.rows) == pytest.approx(0.7 * (rounds._clock.left() - 10) / 0.2, rel=0.1)
