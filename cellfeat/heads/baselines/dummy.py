"""A baseline that ignores the embeddings."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags

from cellfeat.errors import HeadError
from cellfeat.heads.base import HeadClassifier
from cellfeat.heads.state import HeadState


class DummyHead(HeadClassifier):
    """The same probabilities for every sample; its balanced accuracy is ``1 / n_classes``.

    Parameters
    ----------
    strategy
        ``"prior"`` predicts the class frequencies of the training samples, ``"uniform"`` ``1 / n_classes`` each.
    """

    def __init__(self, strategy: Literal["prior", "uniform"] = "prior") -> None:
        self.strategy = strategy

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _check_parameters(self) -> None:
        if self.strategy not in ("prior", "uniform"):
            raise HeadError(f"strategy: expected 'prior' or 'uniform', got {self.strategy!r}")

    def _fit(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:  # noqa: ARG002
        counts = np.bincount(codes, minlength=self._n_classes)
        self.class_prior_ = (counts if self.strategy == "prior" else np.ones(self._n_classes)).astype(np.float64)
        self.class_prior_ /= self.class_prior_.sum()

    def _probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.tile(self.class_prior_, (len(X), 1))

    def _get_fitted(self) -> HeadState:
        return HeadState({"class_prior": self.class_prior_})

    def _set_fitted(self, state: HeadState) -> None:
        self.class_prior_ = state.array("class_prior", self._n_classes)
