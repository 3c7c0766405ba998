"""HEADS: the table of heads. Reading it imports no torch, scikit-learn or lightgbm."""

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
"""Constructor parameters that follow from the features and the run's seed, and are no settings of a head."""


@dataclass(frozen=True)
class Head:
    """An entry of the table.

    Attributes
    ----------
    name
        What the head is found by.
    build
        Where its class is, as ``"module:Class"``.
    views
        ``own``: it has a constructor parameter ``n_views`` and takes ``X`` of shape
        ``(n_samples, n_views * embedding_dim)``; ``mean``: it is handed the mean over views.
    summary
        What it is, in one line.
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
        "a hidden layer, trained on a random view at each step; 5 to 30 epochs, the more samples the fewer",
    )
)
HEADS.add(
    Head("linear_relu", "cellfeat.heads.linear_relu:LinearReLUHead", "mean", "a linear layer with a ReLU on its logits")
)
HEADS.add(Head("logreg", "cellfeat.heads.logreg:LogisticRegressionHead", "mean", "multinomial logistic regression, L2"))
HEADS.add(Head("lightgbm", "cellfeat.heads.boosting:BoostingHead", "own", "gradient-boosted trees by LightGBM"))
HEADS.add(Head("knn", "cellfeat.heads.knn:KNNHead", "mean", "votes of the 15 nearest neighbours by cosine"))
HEADS.add(Head("dummy", "cellfeat.heads.dummy:DummyHead", "mean", "class frequencies only: the floor of every score"))


def head_class(name: str) -> "type[HeadClassifier]":
    """Import the class of the head `name`."""
    return import_attribute(HEADS[name].build)


def search_space(name: str) -> Mapping[str, Sequence[Any]]:
    """Values worth trying of the settings of the head `name`; none where it does not say.

    Raises
    ------
    UnknownNameError
        If no head has this name.
    HeadError
        If the head names something that is no setting of it.
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
        Constructor parameters of the head, apart from those in `SET_BY_THE_RUN`.
    n_views
        Views a sample in the features; only heads that make their own use of views are told.
    random_state
        Seed; only heads that draw at random are told.

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
    return set(build._get_param_names()).difference(SET_BY_THE_RUN)


def _check_settings(name: str, settings: Mapping[str, Any], valid: set[str]) -> None:
    for key in settings:
        if key not in valid:
            raise HeadError(f"the head {name!r} has no setting {key!r}; {near_names(key, valid)}")


def head_inputs(name: str, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay out embeddings as the `X` that the head `name` takes.

    Parameters
    ----------
    name
        A name in `HEADS`.
    embeddings
        Array of shape (n_samples, n_views, embedding_dim).

    Returns
    -------
    Array of shape (n_samples, n_views * embedding_dim) for a head that makes its own use of views, else
    (n_samples, embedding_dim): the mean over views.

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
    # One view needs no mean, and no copy of the whole matrix.
    return embeddings[:, 0] if embeddings.shape[1] == 1 else embeddings.mean(axis=1)
