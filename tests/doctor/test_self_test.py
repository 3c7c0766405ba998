"""The self-test of `cellfeat doctor`."""

import numpy as np
import pytest

from cellfeat.doctor import self_test
from cellfeat.doctor.self_test import run_self_test
from cellfeat.errors import ImageError


@pytest.mark.slow
def test_every_step_passes() -> None:
    found = list(run_self_test())
    assert [finding.state for finding in found] == ["ok"] * 6, found


@pytest.mark.slow
def test_a_step_that_fails_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise ImageError("a.png: damaged")

    monkeypatch.setattr(self_test, "extract", fail)
    (finding,) = run_self_test()
    assert (finding.topic, finding.state, finding.found) == ("self-test: extract", "problem", "a.png: damaged")


@pytest.mark.slow
def test_numbers_that_mean_nothing_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    load = self_test.load_features

    def shuffled(path: str) -> object:
        features = load(path)
        return features.with_labels(np.random.default_rng(0).permutation(features.samples.labels))

    monkeypatch.setattr(self_test, "load_features", shuffled)
    monkeypatch.setattr(self_test, "N_CLASSES", 2)
    *_, last = run_self_test()
    assert "no better than guessing" in last.found
