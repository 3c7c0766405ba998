"""The head of an earlier system for this task: a linear layer with a ReLU on its logits."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.utils import Tags
from torch import nn

from cellfeat.errors import HeadError
from cellfeat.heads.base import HeadClassifier, check_integer, check_number, check_positive
from cellfeat.heads.class_weights import ClassWeight, check_class_weight, class_weights
from cellfeat.heads.neural_networks.adam import Adam
from cellfeat.heads.neural_networks.training import (
    Examples,
    Randomness,
    SeededDropout,
    TrainingSchedule,
    constant,
    linear,
    to_numpy,
    train,
    training_device,
)
from cellfeat.heads.state import HeadState

NORM_EPSILON = 1e-5
"""Added to a variance by `torch.nn.GroupNorm`."""


class LinearReLUHead(HeadClassifier):
    """Group normalisation, dropout, one linear layer, and a ReLU on the logits.

    It is part of the comparison to show the cost of the last ReLU: a class whose logits are all negative gets no
    gradient and can stay dead, whatever its weight.

    Parameters
    ----------
    n_groups
        Number of groups of columns; each group is normalised within each sample. If it does not divide the columns into
        groups of two or more, the next lower number that does is used. Default: Wu and He (2018), "Group
        normalization".
    dropout
        Share of columns that a training step drops, in [0, 1).
    epochs
        Passes over the training samples.
    learning_rate
        Constant rate of Adam.
    weight_decay
        L2 penalty as `torch.optim.Adam` adds it to the gradient.
    batch_size
        Maximum samples of a training step. Small training sets use fewer; all steps of an epoch have equal sizes.
    class_weight
        ``"balanced"`` gives each class the same total weight; or ``None``, or a weight for each class.
    device
        Where to train: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    random_state
        Seed of the random numbers; the same seed gives the same head on the same machine.
    """

    def __init__(
        self,
        n_groups: int = 32,
        *,
        dropout: float = 0.5,
        epochs: int = 30,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-5,
        batch_size: int = 256,
        class_weight: ClassWeight = "balanced",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_groups = n_groups
        self.dropout = dropout
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # Group normalisation removes the level of a few columns, and dead classes are expected of this head.
        tags.classifier_tags.poor_score = True
        return tags

    def _check_parameters(self) -> None:
        check_integer("n_groups", self.n_groups, low=1)
        check_number("dropout", self.dropout, low=0, below=1)
        check_integer("epochs", self.epochs, low=1)
        check_positive("learning_rate", self.learning_rate)
        check_number("weight_decay", self.weight_decay, low=0)
        check_integer("batch_size", self.batch_size, low=1)
        check_class_weight(self.class_weight)

    def _fit(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        if X.shape[1] < 2:
            raise HeadError("n_features = 1: group normalisation needs at least 2 columns; use another head")
        device = training_device(self.device)
        randomness = Randomness(self.random_state, device)
        network = self._network(randomness).to(device)
        weights = class_weights(self.class_weight, self.classes_, codes)
        rates = {"lr": self.learning_rate, "weight_decay": self.weight_decay}
        optimizer = Adam(network.parameters(), **rates, is_decoupled=False, fused=False)
        schedule = TrainingSchedule(self.epochs, self.batch_size, label_smoothing=0.0, rate=constant)
        inputs = torch.from_numpy(np.require(X, requirements="W")).to(device)  # torch warns about read-only memory
        train(network, Examples.of(inputs, codes, weights), optimizer, schedule, randomness)
        # In the order of the layers: the norm, then the linear layer; dropout and ReLU have none.
        learned = map(to_numpy, network.parameters())
        self.norm_weight_, self.norm_bias_, self.weight_, self.bias_ = learned

    def _network(self, randomness: Randomness) -> nn.Sequential:
        return nn.Sequential(
            nn.GroupNorm(self._groups(), self.n_features_in_, eps=NORM_EPSILON),
            SeededDropout(self.dropout, randomness.device),
            linear(self.n_features_in_, self._n_classes, randomness.host),
            nn.ReLU(),
        )

    def _groups(self) -> int:
        # At least two columns a group, because a column alone would always be normalised to 0.
        highest = min(self.n_groups, self.n_features_in_ // 2)
        return max(number for number in range(1, highest + 1) if self.n_features_in_ % number == 0)

    def _probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        normalised = self._normalised(X) * self.norm_weight_ + self.norm_bias_
        return softmax(np.maximum(normalised @ self.weight_.T + self.bias_, 0), axis=1)

    def _normalised(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        groups = X.reshape(len(X), self._groups(), -1).astype(np.float64)
        # As `nn.GroupNorm`, whose variance is divided by the number of columns, not by one less.
        centred = groups - groups.mean(axis=2, keepdims=True)
        variance = np.square(centred).mean(axis=2, keepdims=True)
        return (centred / np.sqrt(variance + NORM_EPSILON)).reshape(X.shape)

    def _get_fitted(self) -> HeadState:
        return HeadState(
            {
                "norm_weight": self.norm_weight_,
                "norm_bias": self.norm_bias_,
                "weight": self.weight_,
                "bias": self.bias_,
            }
        )

    def _set_fitted(self, state: HeadState) -> None:
        self.norm_weight_ = state.array("norm_weight", self.n_features_in_)
        self.norm_bias_ = state.array("norm_bias", self.n_features_in_)
        self.weight_ = state.array("weight", self._n_classes, self.n_features_in_)
        self.bias_ = state.array("bias", self._n_classes)
