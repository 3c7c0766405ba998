"""The length of a training, chosen on training samples that are held out for the choice.

One training at a constant rate stands for trainings of several lengths: the mean of its weights over the last part of a
length predicts as well as a training that ends there with a falling rate. See Izmailov et al. (2018), "Averaging
weights leads to wider optima and better generalization", and Hägele et al. (2024), "Scaling laws and compute-optimal
training beyond fixed training durations".
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cellfeat.heads.holding_out import divided, first_close_to_best, tempered_losses
from cellfeat.heads.neural_networks.training import (
    Examples,
    Optimizer,
    Randomness,
    SeededDropout,
    TrainingSchedule,
    risen,
    training_steps,
)
from cellfeat.types import Floats

TIMES = (0.5, 1, 2, 4)
"""Lengths to choose from, as multiples of the default number of epochs, the shortest first."""

AVERAGED = 0.3
"""Part of a length, at its end, over which weights are averaged. The parts of lengths that double do not overlap."""

ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Parts:
    """Training samples that are divided for the choice.

    Attributes
    ----------
    held_in
        Samples to train on.
    held_out
        Samples to compare on.
    """

    held_in: Examples
    held_out: Examples

    @classmethod
    def of(cls, examples: Examples) -> "Parts | None":
        """Divide the training samples; None where there are too few."""
        numbers = divided(examples.codes.cpu().numpy(), _sums(examples))
        return None if numbers is None else cls(*(_part(examples, samples) for samples in numbers))


def choose_times(
    network: nn.Sequential,
    optimizer: Optimizer,
    parts: Parts,
    schedule: TrainingSchedule,
    randomness: Randomness,
) -> tuple[float, Sequence[float]]:
    """Choose the shortest length whose loss on held-out samples is within one standard error of the lowest.

    A length is tried only if the one before it was better than those that are shorter.

    Parameters
    ----------
    network
        Maps rows to logits; it is trained.
    optimizer
        Optimiser of its parameters.
    parts
        The training samples.
    schedule
        The training of the default length; its rate is not used.
    randomness
        Source of the order of the samples and of their views.

    Returns
    -------
    chosen
        One of `TIMES`.
    tried
        Those that were compared.
    """
    losses: list[Floats] = []
    for averaged in _averages(network, optimizer, parts.held_in, schedule, randomness):
        losses.append(_held_out_losses(averaged, parts.held_out))
        if len(losses) > 1 and losses[-1].mean() >= min(one.mean() for one in losses[:-1]):
            break
    return TIMES[first_close_to_best(losses)], TIMES[: len(losses)]


def _averages(
    network: nn.Sequential,
    optimizer: Optimizer,
    examples: Examples,
    schedule: TrainingSchedule,
    randomness: Randomness,
) -> Iterator[nn.Sequential]:
    """Train at a constant rate, and give at the end of each length the network with averaged weights."""
    longest = replace(schedule, epochs=round(TIMES[-1] * schedule.epochs), rate=risen(TIMES[0] / TIMES[-1]))
    n_steps = schedule.n_steps(examples.n_samples)
    steps = training_steps(network, examples, optimizer, longest, randomness)
    for times in TIMES:
        end, mean = round(times * n_steps), MeanWeights(network)
        for step in steps:
            if step > end - round(AVERAGED * end):
                mean.add(network)
            if step == end:
                break
        yield mean.network


class MeanWeights:
    """The running mean of the weights of a network, as a network without dropout.

    Parameters
    ----------
    network
        The network that is trained.

    Attributes
    ----------
    network
        The same layers with the mean of the weights.
    """

    def __init__(self, network: nn.Sequential) -> None:
        # Dropout would also drop while predicting, and its generator cannot be copied.
        self.network = nn.Sequential(*(copy.deepcopy(one) for one in network if not isinstance(one, SeededDropout)))
        self._n_added = 0

    @torch.no_grad()
    def add(self, network: nn.Sequential) -> None:
        """Take the present weights of the network into the mean."""
        self._n_added += 1
        for mean, one in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.lerp_(one, 1 / self._n_added)


@torch.no_grad()
def _held_out_losses(network: nn.Sequential, held_out: Examples) -> Floats:
    logs = [torch.log_softmax(network(rows.float()).double(), dim=1) for rows in held_out.rows.split(ROWS_AT_ONCE)]
    # The log of the mean probability over the views, which is what the head predicts.
    by_view = torch.cat(logs).reshape(held_out.n_samples, held_out.n_views, -1)
    logits = (by_view.logsumexp(dim=1) - math.log(held_out.n_views)).cpu().numpy()
    codes = held_out.codes.cpu().numpy()
    return tempered_losses(logits.T, codes, held_out.weights.cpu().numpy()[codes])


def _sums(examples: Examples) -> NDArray[np.float32]:
    """The sum of the columns of each sample over its views, of shape (n_samples,)."""
    sums = torch.cat([rows.float().sum(dim=1) for rows in examples.rows.split(ROWS_AT_ONCE)])
    return sums.reshape(examples.n_samples, -1).sum(dim=1).cpu().numpy()


def _part(examples: Examples, samples: NDArray[np.int64]) -> Examples:
    chosen = torch.from_numpy(samples).to(examples.rows.device)
    rows: Tensor = examples.rows.reshape(examples.n_samples, examples.n_views, -1)[chosen]
    return Examples(rows.flatten(0, 1), examples.codes[chosen], examples.weights)
