"""The training loop of the heads that are neural networks.

All rows stay in memory as one tensor and are gathered by index: a data loader would take more time than the network.
Random numbers come from separate generators, so training neither uses nor changes PyTorch's global random state.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cellfeat.device import choose_device

MIN_STEPS_PER_EPOCH = 8
WARM_UP = 0.3
"""Share of the training in which the learning rate rises."""
FIRST_RATE = 1 / 25
LAST_RATE = 1e-4 / 25
"""First and last learning rate, relative to the maximum."""


@dataclass(frozen=True)
class Examples:
    """Training rows, class numbers and class weights on the device.

    Attributes
    ----------
    rows
        Network inputs of shape (n_samples * n_views, embedding_dim), with the views of a sample one after another. The
        network computes in their type; its parameters stay float32.
    codes
        Class numbers of shape (n_samples,).
    weights
        Weights of the classes, of shape (n_classes,).
    """

    rows: Tensor
    codes: Tensor
    weights: Tensor

    @classmethod
    def of(cls, rows: Tensor, codes: NDArray[np.int64], weights: NDArray[np.float64]) -> "Examples":
        """Move class numbers and weights to the device of the rows.

        Parameters
        ----------
        rows
            As for the attribute, shape (n_samples * n_views, embedding_dim).
        codes
            Class numbers of shape (n_samples,).
        weights
            Weights of the classes, shape (n_classes,).
        """
        return cls(
            rows,
            torch.from_numpy(codes).to(rows.device),
            torch.from_numpy(weights).to(rows.device, torch.float32),
        )

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.codes)

    @property
    def n_views(self) -> int:
        """Number of views per sample."""
        return len(self.rows) // len(self.codes)


@dataclass(frozen=True)
class TrainingSchedule:
    """How a network is trained.

    Attributes
    ----------
    epochs
        Passes over the samples.
    batch_size
        Maximum samples of a step. All steps of an epoch have equal sizes, and there are at least
        `MIN_STEPS_PER_EPOCH`.
    label_smoothing
        Share of the target that is distributed evenly over all classes, in [0, 1).
    rate
        Function from the progress of the training, in [0, 1), to a factor on the learning rate.
    """

    epochs: int
    batch_size: int
    label_smoothing: float
    rate: Callable[[float], float]

    def n_steps(self, n_samples: int) -> int:
        """Number of steps of the training."""
        return self.epochs * _steps_per_epoch(n_samples, self.batch_size)


class Randomness:
    """The random numbers of one training run, on the CPU (`host`) and on the device (`device`)."""

    def __init__(self, random_state: int | np.random.RandomState | None, device: torch.device) -> None:
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        self.host = torch.Generator().manual_seed(seed)
        self.device = self.host if device.type == "cpu" else torch.Generator(device).manual_seed(seed)


class SeededDropout(nn.Module):
    """Dropout with its own generator; `nn.Dropout` can only use the global one.

    One random byte decides about one value, because bytes are drawn faster than floats. `rate` is therefore exact to
    within 1/512.
    """

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        super().__init__()
        self.dropped = min(255, round(256 * rate))
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Set random values to zero and scale the others up, so that the expectation stays the same."""
        if self.dropped == 0:
            return x
        kept = (self._bytes(x) >= self.dropped).to(x.dtype)
        return x * kept.mul_(256 / (256 - self.dropped))

    def _bytes(self, x: Tensor) -> Tensor:
        # Eight bytes at a time; without an upper end, `random_` fills all 64 bits of each word.
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None, generator=self.generator)
        return words.view(torch.uint8)[: x.numel()].view(x.shape)


def linear(n_inputs: int, n_outputs: int, generator: torch.Generator) -> nn.Linear:
    """Build a linear layer with PyTorch's initialisation, drawn from `generator` instead of the global one.

    Parameters
    ----------
    n_inputs, n_outputs
        Numbers of columns.
    generator
        Source of random numbers on the CPU.
    """
    # On the device `meta` nothing is drawn from the global generator; `skip_init` would load sympy, for 0.5 s.
    layer = nn.Linear(n_inputs, n_outputs, device="meta")
    # What PyTorch's own initialisation amounts to, for weights and biases.
    bound = n_inputs**-0.5
    for name, parameter in list(layer.named_parameters()):
        values = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
        setattr(layer, name, nn.Parameter(values))
    return layer


def to_numpy(parameter: Tensor) -> NDArray[np.float64]:
    """Copy a learned parameter to a numpy array of the same shape, in float64, in which predictions are computed."""
    return parameter.detach().double().cpu().numpy()


def one_cycle(progress: float) -> float:
    """Factor on the learning rate that rises over the first 30 % of the training and then falls to nearly 0.

    Both parts are half a cosine. See Smith and Topin (2018), "Super-convergence"; the constants are those of
    `torch.optim.lr_scheduler.OneCycleLR`.
    """
    if progress < WARM_UP:
        return _half_cosine(FIRST_RATE, 1.0, progress / WARM_UP)
    return _half_cosine(1.0, LAST_RATE, (progress - WARM_UP) / (1 - WARM_UP))


def risen(share: float) -> Callable[[float], float]:
    """Make a rate that rises as that of a one-cycle training of a shorter length, and then stays.

    Parameters
    ----------
    share
        The shorter length, as a share of the training.
    """

    def rate(progress: float) -> float:
        return one_cycle(min(progress / share, WARM_UP))

    return rate


def constant(progress: float) -> float:  # noqa: ARG001, a rate is a function of the progress
    """Factor 1 on the learning rate."""
    return 1.0


def _half_cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2


class Optimizer(Protocol):
    """Changes the parameters of a network by their gradients."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self, rate: float) -> None:
        """Change the parameters.

        Parameters
        ----------
        rate
            Factor on the learning rate.
        """


def train(
    network: nn.Module,
    examples: Examples,
    optimizer: Optimizer,
    schedule: TrainingSchedule,
    randomness: Randomness,
) -> None:
    """Train a network in place with a weighted cross-entropy; each step uses one random view of each of its samples.

    Parameters
    ----------
    network
        Maps rows to logits, on the device of the examples.
    examples
        The training samples.
    optimizer
        Optimiser of the network's parameters.
    schedule
        Epochs, batch size, label smoothing and learning rate.
    randomness
        Source of the order of the samples and of their views.
    """
    for _ in training_steps(network, examples, optimizer, schedule, randomness):
        pass


def training_steps(
    network: nn.Module,
    examples: Examples,
    optimizer: Optimizer,
    schedule: TrainingSchedule,
    randomness: Randomness,
) -> Iterator[int]:
    """Train a network as `train` does, and give after each step the number of steps that are done.

    Parameters
    ----------
    network, examples, optimizer, schedule, randomness
        As for `train`.
    """
    batches = _batches(examples, schedule, randomness.host)
    for step, (progress, samples, views) in enumerate(batches):
        with torch.autocast(examples.rows.device.type, torch.bfloat16, enabled=examples.rows.dtype == torch.bfloat16):
            # The views of a sample are adjacent rows.
            logits = network(examples.rows[samples * examples.n_views + views])
        loss = _loss(logits.float(), examples, samples, schedule.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(schedule.rate(progress))
        yield step + 1


def _batches(
    examples: Examples, schedule: TrainingSchedule, generator: torch.Generator
) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Yield the progress of the training, and the samples and views of each step."""
    n_samples, device = examples.n_samples, examples.rows.device
    n_steps = _steps_per_epoch(n_samples, schedule.batch_size)
    for epoch in range(schedule.epochs):
        order = torch.randperm(n_samples, generator=generator).to(device)
        views = torch.randint(examples.n_views, (n_samples,), generator=generator).to(device)
        batches = zip(order.tensor_split(n_steps), views.tensor_split(n_steps), strict=True)
        for step, (samples, view) in enumerate(batches):
            yield (epoch * n_steps + step) / (schedule.epochs * n_steps), samples, view


def _steps_per_epoch(n_samples: int, batch_size: int) -> int:
    """Number of steps of an epoch; their sizes differ by at most one sample.

    Full batches and a small remainder are worse: a step with few samples is mostly noise, for which Adam scales all
    other steps down. With 3,612 real cells in eight steps of 451 and one of 4 the MLP scored 0.878; in eight steps of
    451 and 452 it scores 0.905.
    """
    fewest = -(-n_samples // batch_size)
    return min(n_samples, max(MIN_STEPS_PER_EPOCH, fewest))


def _loss(logits: Tensor, examples: Examples, samples: Tensor, label_smoothing: float) -> Tensor:
    # `cross_entropy(weight=)` divides by the weights of the batch and weights the smoothed part by the wrong class.
    codes = examples.codes[samples]
    losses = cross_entropy(logits, codes, reduction="none", label_smoothing=label_smoothing)
    return (losses * examples.weights[codes]).mean()


def fastest_dtype(device: torch.device) -> torch.dtype:
    """Return the type in which products are fastest on `device` and accurate enough for training.

    With the bfloat16 instructions of a CPU, a product of 256 rows, 1024 columns and 512 units takes a third to a sixth
    of the time of float32. Without them bfloat16 is emulated and slower. On a GPU the launches take most of the time.
    """
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    fast_bfloat16 = device.type == "cpu" and bool(capabilities.get("avx512_bf16", False))
    return torch.bfloat16 if fast_bfloat16 else torch.float32


def training_device(device: str) -> torch.device:
    """Choose the device to train on: ``"auto"`` (a CUDA GPU, otherwise the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises
    ------
    DeviceError
        If this machine has no such device.
    """
    return choose_device(device, kinds=("cuda", "cpu"), setting="device")
