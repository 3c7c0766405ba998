"""k nearest neighbours by cosine distance, with votes weighted by class."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.heads.base import HeadClassifier, check_integer
from cellfeat.heads.class_weights import ClassWeight, check_class_weight, class_weights
from cellfeat.heads.preprocessing.transforms import FeatureTransform, TransformName, check_transform
from cellfeat.heads.rows import BLOCK_ELEMENTS, row_blocks
from cellfeat.heads.state import HeadState
from cellfeat.statistics.neighbours import nearest_by_cosine
from cellfeat.types import Float32s

MIN_DISTANCE = 1e-6
"""Smaller distances are rounding of the float32 embeddings: such a neighbour is the sample itself, or a copy of it."""


class KNNHead(HeadClassifier):
    """k nearest neighbours by cosine distance, after the columns are transformed.

    The vote of a neighbour is the weight of its class divided by its cosine distance.

    Parameters
    ----------
    n_neighbors
        Number of neighbours that vote; all training samples if there are fewer.
    class_weight
        ``"balanced"`` gives each class the same total weight; or ``None``, or a weight for each class.
    feature_transform
        Transform of the columns before the head: see `FeatureTransform`.
    feature_components
        Number of principal components that ``pca`` and ``whiten`` keep; None for all.
    """

    search_space: ClassVar = {"n_neighbors": [1, 3, 5, 8, 12, 15, 20, 30, 50]}

    def __init__(
        self,
        n_neighbors: int = 15,
        *,
        class_weight: ClassWeight = "balanced",
        feature_transform: TransformName = "standardise",
        feature_components: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.class_weight = class_weight
        self.feature_transform = feature_transform
        self.feature_components = feature_components

    def _check_parameters(self) -> None:
        check_integer("n_neighbors", self.n_neighbors, low=1)
        check_class_weight(self.class_weight)
        check_transform(self.feature_transform, self.feature_components)

    def _fit(self, X: Float32s, codes: NDArray[np.int64]) -> None:
        self.transform_ = FeatureTransform.fitted(self.feature_transform, X, self.feature_components)
        self.directions_ = np.empty((len(X), self.transform_.n_outputs), np.float32)
        for rows in row_blocks(X):
            self.directions_[rows] = self._directions(X[rows])
        self.codes_ = codes
        self.class_weights_ = class_weights(self.class_weight, self.classes_, codes)

    def _directions(self, X: Float32s) -> NDArray[np.float64]:
        transformed = self.transform_(X)
        lengths = np.linalg.norm(transformed, axis=1, keepdims=True)
        return transformed / np.where(lengths == 0, 1, lengths)

    def _probabilities(self, X: Float32s) -> NDArray[np.float64]:
        directions = self.directions_.astype(np.float64)
        neighbours, cosines = nearest_by_cosine(
            self._directions(X),
            directions,
            min(self.n_neighbors, len(directions)),
            block_rows=max(1, BLOCK_ELEMENTS // len(directions)),
        )
        distances = np.maximum(1 - cosines, MIN_DISTANCE)
        return self._shares(self.codes_[neighbours], 1 / distances)

    def _shares(self, codes: NDArray[np.int64], votes: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.arange(len(codes))[:, None]
        totals = np.zeros((len(codes), self._n_classes))
        # Not `totals[rows, codes] +=`, which adds only one vote where several neighbours have the same class.
        np.add.at(totals, (rows, codes), votes * self.class_weights_[codes])
        return totals / totals.sum(axis=1, keepdims=True)

    def _get_fitted(self) -> HeadState:
        return HeadState(
            {
                **self.transform_.arrays(),
                "directions": self.directions_,
                "codes": self.codes_,
                "class_weights": self.class_weights_,
            }
        )

    def _set_fitted(self, state: HeadState) -> None:
        self.transform_ = FeatureTransform.restored(self.feature_transform, state, self.n_features_in_)
        self.directions_ = state.array("directions", -1, self.transform_.n_outputs)
        self.codes_ = state.array("codes", len(self.directions_))
        self.class_weights_ = state.array("class_weights", self._n_classes)
        if not np.isin(self.codes_, np.arange(self._n_classes)).all():
            raise HeadError(f"the head's array 'codes': expected class numbers below {self._n_classes}")
