"""The length that a training chooses: short where classes hardly part, long where views and samples are worth it."""

import numpy as np
import pytest
import torch
from torch import nn

from cellfeat.errors import HeadError
from cellfeat.heads.chosen import Chosen
from cellfeat.heads.neural_networks import length_choice
from cellfeat.heads.neural_networks.adam import Adam
from cellfeat.heads.neural_networks.length_choice import TIMES, MeanWeights, choose_times
from cellfeat.heads.neural_networks.mlp import MLPHead
from cellfeat.heads.neural_networks.training import (
    Examples,
    Randomness,
    SeededDropout,
    TrainingSchedule,
    linear,
    one_cycle,
)

N_VIEWS = 3


def samples(n_samples=120, seed=0):
    """Generated rows of three views around class means, and their classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % 3
    means = 1.5 * rng.standard_normal((3, 1, 12))
    views = means[y] + rng.standard_normal((n_samples, N_VIEWS, 12))
    return views.astype(np.float32).reshape(n_samples, -1), y


def head(**settings):
    return MLPHead(**{"hidden": 8, "epochs": "auto", "n_views": N_VIEWS, "device": "cpu", "random_state": 0} | settings)


@pytest.fixture
def short(monkeypatch):
    """Trainings of a few epochs."""
    monkeypatch.setattr("cellfeat.heads.neural_networks.mlp.EPOCHS", (1, 2))


@pytest.fixture
def losses(monkeypatch):
    """Sets the mean loss of each length that is tried."""

    def set_losses(*means):
        given = iter(means)
        noise = np.random.default_rng(0).standard_normal(400)
        monkeypatch.setattr(length_choice, "_held_out_losses", lambda *_: next(given) + 0.1 * noise)

    return set_losses


@pytest.mark.parametrize(
    ("means", "chosen", "tried"),
    [
        ((0.9, 0.8, 0.7, 0.6), 16, [2, 4, 8, 16]),
        ((0.9, 0.8, 0.7, 0.7), 8, [2, 4, 8, 16]),
        ((0.9, 0.8, 0.8), 4, [2, 4, 8]),
        ((0.8, 0.9), 2, [2, 4]),
    ],
)
def test_shortest_of_the_best_lengths_is_taken(short, losses, means, chosen, tried):
    losses(*means)
    X, y = samples()
    fitted = head().fit(X, y)
    assert fitted.chosen_ == {"epochs": Chosen(chosen, tried)}


def test_head_equals_one_that_is_given_the_chosen_length(short):
    X, y = samples()
    chosen = head().fit(X, y)
    given = head(epochs=chosen.epochs_).fit(X, y)
    assert given.chosen_ == {}
    assert np.array_equal(chosen.predict_proba(X), given.predict_proba(X))


def test_choice_does_not_depend_on_the_order_of_the_samples(short):
    X, y = samples()
    order = np.random.default_rng(1).permutation(len(y))
    first, other = (length_choice.Parts.of(examples(X[rows], y[rows])) for rows in (np.arange(len(y)), order))
    assert set(map(tuple, first.held_out.rows.tolist())) == set(map(tuple, other.held_out.rows.tolist()))


def test_few_samples_take_the_default(short):
    X, y = samples(40)
    assert head().fit(X, y).chosen_ == {"epochs": Chosen(4, [])}


def test_other_words_are_refused():
    X, y = samples(60)
    with pytest.raises(HeadError, match=r"epochs.*auto.*long"):
        head(epochs="long").fit(X, y)


@pytest.mark.slow
def test_memorised_noise_is_not_trained_longer():
    """Labels without any meaning: a longer training only fits them better."""
    X, _ = samples(150)
    y = np.random.default_rng(3).integers(3, size=150)
    # How many longer ones are tried depends on the processor: the losses of the first two are close.
    assert head(hidden=32, dropout=0.0, learning_rate=0.01).fit(X, y).chosen_["epochs"].value == 30


def examples(X, y):
    rows = torch.from_numpy(X.reshape(len(X) * N_VIEWS, -1))
    return Examples.of(rows, y, np.ones(3))


def network_of(randomness):
    layers = [linear(12, 8, randomness.host), nn.ReLU(), SeededDropout(0.5, randomness.device)]
    return nn.Sequential(*layers, linear(8, 3, randomness.host))


def test_weights_are_averaged_over_the_end_of_each_length(monkeypatch):
    """Lengths of 1, 2, 4 and 8 epochs of 10 steps: the last 3, 6, 12 and 24 steps."""
    numbers, added = [], []
    monkeypatch.setattr(length_choice, "_held_out_losses", lambda *_: numbers.append(len(added)) or losses_falling())
    monkeypatch.setattr(MeanWeights, "add", lambda *_: added.append(1))

    def losses_falling():
        return np.full(9, 1.0 / len(numbers))

    randomness = Randomness(0, torch.device("cpu"))
    network, parts = network_of(randomness), length_choice.Parts.of(examples(*samples(150)))
    schedule = TrainingSchedule(2, 10, 0.1, one_cycle)
    optimizer = Adam(network.parameters(), lr=1e-3, weight_decay=0.01, is_decoupled=True, fused=False)
    chosen, tried = choose_times(network, optimizer, parts, schedule, randomness)
    assert (chosen, tuple(tried)) == (TIMES[-1], TIMES)
    assert parts.held_in.n_samples == 99
    assert np.diff([0, *numbers]).tolist() == [3, 6, 12, 24]


def test_mean_of_weights_predicts_without_dropout():
    randomness = Randomness(0, torch.device("cpu"))
    network = network_of(randomness)
    mean = MeanWeights(network)
    for number in range(3):
        nn.init.constant_(network[0].weight, number)
        mean.add(network)
    torch.testing.assert_close(mean.network[0].weight, torch.ones(8, 12))
    rows = torch.ones(4, 12)
    assert torch.equal(mean.network(rows), mean.network(rows))
