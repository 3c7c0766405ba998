"""`HEADS`, the table of heads. Reading it does not import torch, scikit-learn or lightgbm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.registry import Registry, import_attribute
from cellfeat.text import near_names

if TYPE_CHECKING:
    from cellfeat.heads.base import HeadClassifier

SET_BY_THE_RUN = ("n_views", "random_state")
"""Constructor parameters that follow from the features and the seed of the run; users do not set them."""


@dataclass(frozen=True)
class Head:
    """An entry of the table.

    Attributes
    ----------
    name
        Its name in the table.
    build
        Its class, as ``"module:Class"``.
    views
        ``own`` for a head with a constructor parameter ``n_views`` that takes ``X`` of shape
        ``(n_samples, n_views * embedding_dim)``; ``mean`` for a head that takes the mean over views.
    summary
        Description in one line.
    """

    name: str
    build: str
    views: Literal["own", "mean"]
    summary: str


HEADS = Registry[Head]("head", "cellfeat.heads")
HEADS.add(
    Head(
        "mlp",
        "cellfeat.heads.mlp:MLPHead",
        "own",
        "a hidden layer, trained on random views; 5 to 30 epochs, fewer for more samples; doubled for several views",
    )
)
HEADS.add(
    Head("linear_relu", "cellfeat.heads.linear_relu:LinearReLUHead", "mean", "a linear layer with a ReLU on its logits")
)
HEADS.add(Head("logreg", "cellfeat.heads.logreg:LogisticRegressionHead", "mean", "multinomial logistic regression, L2"))
HEADS.add(Head("lightgbm", "cellfeat.heads.boosting:BoostingHead", "own", "gradient-boosted trees by LightGBM"))
HEADS.add(Head("knn", "cellfeat.heads.knn:KNNHead", "mean", "votes of the 15 nearest neighbours by cosine"))
HEADS.add(Head("dummy", "cellfeat.heads.dummy:DummyHead", "mean", "class frequencies only: the baseline of all scores"))


def head_class(name: str) -> "type[HeadClassifier]":
    """Import the class of the head `name`."""
    return import_attribute(HEADS[name].build)


def search_space(name: str) -> Mapping[str, Sequence[Any]]:
    """Values to try for each setting of the head `name`; empty for a head without a search space.

    Raises
    ------
    UnknownNameError
        If no head has this name.
    HeadError
        If the search space contains a name that is not a setting of the head.
    """
    build = head_class(name)
    space: Mapping[str, Sequence[Any]] = getattr(build, "search_space", {})
    _check_settings(name, space, _settings_of(build))
    return space


def make_head(
    name: str, settings: Mapping[str, Any], *, n_views: int = 1, random_state: int | None = None
) -> "HeadClassifier":
    """Build an unfitted head.

    Parameters
    ----------
    name
        A name in `HEADS`.
    settings
        Constructor parameters of the head, except those in `SET_BY_THE_RUN`.
    n_views
        Views per sample in the features; only for heads with their own use of views.
    random_state
        Seed of the random numbers; only for heads that use them.

    Raises
    ------
    UnknownNameError
        If no head has this name.
    HeadError
        If the head has no such setting.
    """
    build = head_class(name)
    _check_settings(name, settings, _settings_of(build))
    by_the_run = {"n_views": n_views, "random_state": random_state}
    taken = build._get_param_names()
    return build(**settings, **{key: value for key, value in by_the_run.items() if key in taken})


def _settings_of(build: "type[HeadClassifier]") -> set[str]:
    # scikit-learn's public `get_params` needs an instance.
    return set(build._get_param_names()).difference(SET_BY_THE_RUN)


def _check_settings(name: str, settings: Mapping[str, Any], valid: set[str]) -> None:
    for key in settings:
        if key not in valid:
            raise HeadError(f"the head {name!r} has no setting {key!r}; {near_names(key, valid)}")


def head_inputs(name: str, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert embeddings to the `X` that the head `name` takes.

    Parameters
    ----------
    name
        A name in `HEADS`.
    embeddings
        Array of shape (n_samples, n_views, embedding_dim).

    Returns
    -------
    ndarray
        Shape (n_samples, n_views * embedding_dim) for a head with its own use of views, otherwise the mean over views,
        (n_samples, embedding_dim).

    Raises
    ------
    HeadError
        If `embeddings` has another number of dimensions.
    """
    if embeddings.ndim != 3:
        raise HeadError(
            f"expected embeddings of shape (n_samples, n_views, embedding_dim), got {embeddings.shape}; "
            "for a single view pass embeddings[:, None, :]"
        )
    if HEADS[name].views == "own":
        return embeddings.reshape(len(embeddings), -1)
    # A single view needs neither a mean nor a copy of the whole matrix.
    return embeddings[:, 0] if embeddings.shape[1] == 1 else embeddings.mean(axis=1)
