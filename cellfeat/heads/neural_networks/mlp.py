"""Head `mlp`: a multilayer perceptron. A view is one rotation or reflection; each step trains on a random view."""

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from cellfeat.errors import HeadError
from cellfeat.heads.base import HeadClassifier, check_integer, check_number, check_positive, views_as_rows
from cellfeat.heads.chosen import Chosen
from cellfeat.heads.class_weights import ClassWeight, check_class_weight, class_weights
from cellfeat.heads.neural_networks.adam import Adam
from cellfeat.heads.neural_networks.length_choice import Parts, choose_times
from cellfeat.heads.neural_networks.training import (
    Examples,
    Randomness,
    SeededDropout,
    TrainingSchedule,
    fastest_dtype,
    linear,
    one_cycle,
    to_numpy,
    train,
    training_device,
)
from cellfeat.heads.preprocessing.transforms import FeatureTransform, TransformName, check_transform
from cellfeat.heads.rows import row_blocks
from cellfeat.heads.state import HeadState

SAMPLES_SEEN = 160_000
"""Target for samples x epochs; decides the default epochs.

Beyond about this many, scores fall: 23,115 generated samples of 1,024 columns scored 0.825, 0.830, 0.828, 0.819 and
0.810 after 5, 7, 10, 15 and 30 epochs; 5,418 real samples of 3,840 columns scored 0.833, 0.832 and 0.826 after 20, 30
and 40.
"""

EPOCHS = (5, 30)
"""Smallest and largest default number of epochs, for samples with one view."""

TIMES_WITH_VIEWS = 2
"""Multiply the epochs by this if there are several views, because each view is seen less often.

The product may exceed the maximum of `EPOCHS`. On two of five folds of 6,773 real cells, 8 views of 2,048 columns
scored 0.963, 0.969 and 0.974 after 30, 60 and 120 epochs; one view scored 0.948 and 0.950 after 30 and 60.
"""

_MOST_UNITS = 100_000
"""Of a hidden layer: with 1,024 columns its weights and what the optimiser keeps of them fill 1.6 GB."""


def _times(times: float, epochs: int) -> int:
    return max(1, round(times * epochs))


class MLPHead(HeadClassifier):
    """Hidden layers with ReLU and dropout, then one linear layer, on transformed columns.

    Each training step uses one random view of each of its samples. A prediction is the mean of the probabilities over
    all views, so their order does not matter. Predictions are computed in float64 with numpy, so they are the same on
    machines with and without a GPU.

    Parameters
    ----------
    hidden
        Units of the hidden layer, or a list with the units of each hidden layer.
    dropout
        Share of hidden units that a training step drops, in [0, 1).
    epochs
        Passes over the training samples. ``None``: `SAMPLES_SEEN` divided by the number of samples, within `EPOCHS`;
        with several views `TIMES_WITH_VIEWS` times as many. ``"auto"`` chooses half, once, twice or four times as many
        on held-out training samples: see `cellfeat.heads.neural_networks.length_choice`.
    learning_rate
        Maximum of the one-cycle schedule.
    weight_decay
        Decoupled weight decay (AdamW).
    label_smoothing
        Share of the target that is distributed evenly over all classes, in [0, 1).
    batch_size
        Maximum samples of a training step. Small training sets use fewer; all steps of an epoch have equal sizes.
    class_weight
        ``"balanced"`` gives each class the same total weight; or ``None``, or a weight for each class.
    feature_transform
        Transform of the columns before the head: see `FeatureTransform`.
    feature_components
        Number of principal components that ``pca`` and ``whiten`` keep; None for all.
    n_views
        Views per sample: `X` has shape (n_samples, n_views * embedding_dim).
    device
        Where to train: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    random_state
        Seed of the random numbers; the same seed gives the same head on the same machine.

    Attributes
    ----------
    epochs_
        The number of epochs that was used, after `fit`.
    chosen_
        The same where `epochs` is ``"auto"``, with the numbers that were compared.
    """

    search_space: ClassVar = {
        "hidden": [256, 512, 1024, 2048],
        "dropout": [0.3, 0.5, 0.7, 0.8],
        "learning_rate": [0.0003, 0.001, 0.002, 0.004],
        "weight_decay": [0.01, 0.05, 0.2, 0.5],
        "label_smoothing": [0.0, 0.05, 0.1, 0.2],
    }
    """`epochs` is deliberately not searched: the best number depends on the number of samples, and a search tries most
    settings on part of the samples.
    """

    def __init__(
        self,
        hidden: int | list[int] = 512,
        *,
        dropout: float = 0.5,
        epochs: int | Literal["auto"] | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.1,
        batch_size: int = 512,
        class_weight: ClassWeight = "balanced",
        feature_transform: TransformName = "standardise",
        feature_components: int | None = None,
        n_views: int = 1,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.feature_transform = feature_transform
        self.feature_components = feature_components
        self.n_views = n_views
        self.device = device
        self.random_state = random_state

    def _check_parameters(self) -> None:
        for width in self._hidden_widths():
            check_integer("hidden", width, low=1, high=_MOST_UNITS)
        check_number("dropout", self.dropout, low=0, below=1)
        if isinstance(self.epochs, str) and self.epochs != "auto":
            raise HeadError(f"epochs: expected 'auto', None or an integer of at least 1, got {self.epochs!r}")
        if self.epochs is not None and self.epochs != "auto":
            check_integer("epochs", self.epochs, low=1)
        check_positive("learning_rate", self.learning_rate)
        check_number("weight_decay", self.weight_decay, low=0)
        check_number("label_smoothing", self.label_smoothing, low=0, below=1)
        check_integer("batch_size", self.batch_size, low=1)
        check_class_weight(self.class_weight)
        check_transform(self.feature_transform, self.feature_components)
        check_integer("n_views", self.n_views, low=1)

    def _hidden_widths(self) -> list[int]:
        return list(self.hidden) if isinstance(self.hidden, list | tuple) else [self.hidden]

    def _fit(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        self._fit_rows(views_as_rows(X, self.n_views), codes, overwrites=False)

    def _fit_overwriting(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        self._fit_rows(views_as_rows(X, self.n_views), codes, overwrites=True)

    def _fit_rows(self, rows: NDArray[np.float32], codes: NDArray[np.int64], *, overwrites: bool) -> None:
        self.transform_ = FeatureTransform.fitted(self.feature_transform, rows, self.feature_components)
        device = training_device(self.device)
        inputs = self._network_inputs(rows, fastest_dtype(device), overwrites=overwrites).to(device)
        examples = Examples.of(inputs, codes, class_weights(self.class_weight, self.classes_, codes))
        self.epochs_, self.chosen_ = self._n_epochs(len(codes)), {}
        if self.epochs == "auto":
            self.chosen_ = {"epochs": self._chosen_epochs(examples)}
            self.epochs_ = self.chosen_["epochs"].value
        randomness = Randomness(self.random_state, device)
        network = self._network(randomness)
        train(network, examples, self._optimizer(network), self._schedule(self.epochs_), randomness)
        self.layers_ = [
            (to_numpy(layer.weight), to_numpy(layer.bias)) for layer in network if isinstance(layer, nn.Linear)
        ]

    def _network_inputs(self, rows: NDArray[np.float32], dtype: torch.dtype, *, overwrites: bool) -> torch.Tensor:
        if dtype == torch.float32:
            return torch.from_numpy(self.transform_.in_float32(rows, overwrites=overwrites))
        inputs = torch.empty(len(rows), self.transform_.n_outputs, dtype=dtype)
        for block in row_blocks(rows):
            inputs[block] = torch.from_numpy(self.transform_.in_float32(rows[block]))
        return inputs

    def _chosen_epochs(self, examples: Examples) -> Chosen:
        default, parts = self._n_epochs(examples.n_samples), Parts.of(examples)
        if parts is None:
            return Chosen(default, [])
        # A multiple is chosen, because fewer samples need more epochs.
        schedule = self._schedule(self._n_epochs(parts.held_in.n_samples))
        randomness = Randomness(self.random_state, examples.rows.device)
        network = self._network(randomness)
        chosen, tried = choose_times(network, self._optimizer(network), parts, schedule, randomness)
        return Chosen(_times(chosen, default), [_times(one, default) for one in tried])

    def _schedule(self, epochs: int) -> TrainingSchedule:
        return TrainingSchedule(epochs, self.batch_size, self.label_smoothing, one_cycle)

    def _network(self, randomness: Randomness) -> nn.Sequential:
        # Weights are drawn on the CPU, so that training starts from the same ones on every device.
        return nn.Sequential(*self._layers(randomness)).to(randomness.device.device)

    def _n_epochs(self, n_samples: int) -> int:
        """The given number of epochs, or the default one."""
        if self.epochs is not None and not isinstance(self.epochs, str):
            return self.epochs
        fewest, most = EPOCHS
        times = TIMES_WITH_VIEWS if self.n_views > 1 else 1
        return times * min(most, max(fewest, round(SAMPLES_SEEN / n_samples)))

    def _optimizer(self, network: nn.Module) -> Adam:
        rates = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        return Adam(network.parameters(), **rates, is_decoupled=True, fused=True)

    def _layers(self, randomness: Randomness) -> list[nn.Module]:
        *hidden, last = pairwise(self._widths())
        layers: list[nn.Module] = []
        for n_inputs, n_outputs in hidden:
            layers += [
                linear(n_inputs, n_outputs, randomness.host),
                nn.ReLU(),
                SeededDropout(self.dropout, randomness.device),
            ]
        return [*layers, linear(*last, randomness.host)]

    def _widths(self) -> list[int]:
        return [self.transform_.n_outputs, *self._hidden_widths(), self._n_classes]

    def _probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        values = self.transform_(views_as_rows(X, self.n_views))
        *hidden, (last_weight, last_bias) = self.layers_
        for weight, bias in hidden:
            values = np.maximum(values @ weight.T + bias, 0)
        by_view = softmax(values @ last_weight.T + last_bias, axis=1)
        return by_view.reshape(len(X), self.n_views, -1).mean(axis=1)

    def _get_fitted(self) -> HeadState:
        arrays = self.transform_.arrays()
        for number, (weight, bias) in enumerate(self.layers_):
            arrays |= {f"weight_{number}": weight, f"bias_{number}": bias}
        return HeadState(arrays)

    def _set_fitted(self, state: HeadState) -> None:
        n_columns = self.n_features_in_ // self.n_views
        self.transform_ = FeatureTransform.restored(self.feature_transform, state, n_columns)
        self.layers_ = [
            (state.array(f"weight_{number}", n_outputs, n_inputs), state.array(f"bias_{number}", n_outputs))
            for number, (n_inputs, n_outputs) in enumerate(pairwise(self._widths()))
        ]
