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
    from cellfeat.heads.state import HeadState

SET_BY_THE_RUN = ("n_views", "random_state")
"""Constructor parameters that follow from the features and the seed of the run; users do not set them."""


SKLEARN_PREFIX = "sklearn:"
"""Beginning of the names of scikit-learn's classifiers."""


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

    def settings(self) -> set[str]:
        """Names of its settings: constructor parameters, except those in `SET_BY_THE_RUN`."""
        # scikit-learn's public `get_params` needs an instance.
        return set(head_class(self.name)._get_param_names()).difference(SET_BY_THE_RUN)

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Values to try for each setting; empty for a head without a search space."""
        space: Mapping[str, Sequence[Any]] = getattr(head_class(self.name), "search_space", {})
        return space

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that the head does not have.

        Raises
        ------
        HeadError
            If there are any.
        """
        valid = self.settings()
        for key in settings:
            if key not in valid:
                raise HeadError(f"the head {self.name!r} has no setting {key!r}; {near_names(key, valid)}")

    def make(
        self, settings: Mapping[str, Any], *, n_views: int = 1, random_state: int | None = None
    ) -> "HeadClassifier":
        """Build an unfitted head: see `make_head`.

        Parameters
        ----------
        settings
            Constructor parameters of the head.
        n_views, random_state
            As for `make_head`.

        Raises
        ------
        HeadError
            If the head has no such setting.
        """
        self.check_settings(settings)
        build = head_class(self.name)
        by_the_run = {"n_views": n_views, "random_state": random_state}
        taken = build._get_param_names()
        return build(**settings, **{key: value for key, value in by_the_run.items() if key in taken})


HEADS = Registry[Head]("head", "cellfeat.heads")
HEADS.add(
    Head(
        "mlp",
        "cellfeat.heads.neural_networks.mlp:MLPHead",
        "own",
        "a hidden layer, trained on random views; 5 to 30 epochs, twice as many for several views, or epochs=auto",
    )
)
HEADS.add(
    Head(
        "linear_relu",
        "cellfeat.heads.neural_networks.linear_relu:LinearReLUHead",
        "mean",
        "a linear layer with a ReLU on its logits",
    )
)
HEADS.add(
    Head(
        "logreg",
        "cellfeat.heads.linear_models.logreg:LogisticRegressionHead",
        "mean",
        "multinomial logistic regression, L2",
    )
)
HEADS.add(Head("lightgbm", "cellfeat.heads.trees.boosting:BoostingHead", "own", "gradient-boosted trees by LightGBM"))
HEADS.add(Head("knn", "cellfeat.heads.baselines.knn:KNNHead", "mean", "votes of the 15 nearest neighbours by cosine"))
HEADS.add(
    Head(
        "dummy",
        "cellfeat.heads.baselines.dummy:DummyHead",
        "mean",
        "class frequencies only: the baseline of all scores",
    )
)


HEADS.add_family(SKLEARN_PREFIX, "cellfeat.heads.scikit_learn.entries:named_estimator")


def head_of(head: str | Head) -> Head:
    """Give the entry of a name in `HEADS`; an entry is returned as it is."""
    return HEADS[head] if isinstance(head, str) else head


def known_here(entry: Head) -> None:
    """Add the entry of another process to the table, where a program added it there, and import its class.

    Raises
    ------
    ImportError, AttributeError
        If this process cannot import the class.
    """
    if type(entry) is Head and entry.name not in HEADS:
        HEADS.add(entry)
    import_attribute(entry.build)


def head_class(name: str) -> "type[HeadClassifier]":
    """Import the class of the head `name`."""
    return import_attribute(HEADS[name].build)


def restore_head(name: str, params: Mapping[str, Any], state: "HeadState") -> "HeadClassifier":
    """Restore a fitted head from what was saved.

    Parameters
    ----------
    name
        Its name: in `HEADS`, or that of an estimator object.
    params
        Its recorded parameters.
    state
        Its learned part; it holds an estimator for heads of scikit-learn.

    Raises
    ------
    UnknownNameError
        If no head has this name.
    HeadError
        If the state does not belong to such a head.
    """
    if state.estimator is not None:
        restored: HeadClassifier = import_attribute("cellfeat.heads.scikit_learn.restored:restored_head")(
            name, params, state
        )
        return restored
    return head_class(name)(**params).set_state(state)


def search_space(head: str | Head) -> Mapping[str, Sequence[Any]]:
    """Values to try for each setting of a head; empty for a head without a search space.

    Raises
    ------
    UnknownNameError
        If no head has this name.
    HeadError
        If the search space contains a name that is not a setting of the head.
    """
    entry = head_of(head)
    space = entry.search_space()
    entry.check_settings(space)
    return space


def make_head(
    head: str | Head, settings: Mapping[str, Any], *, n_views: int = 1, random_state: int | None = None
) -> "HeadClassifier":
    """Build an unfitted head.

    Parameters
    ----------
    head
        A name in `HEADS`, or an entry.
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
    return head_of(head).make(settings, n_views=n_views, random_state=random_state)


def head_inputs(head: str | Head, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert embeddings to the `X` that a head takes.

    Parameters
    ----------
    head
        A name in `HEADS`, or an entry.
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
    if head_of(head).views == "own":
        return embeddings.reshape(len(embeddings), -1)
    return mean_over_views(embeddings)


def mean_over_views(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average over views.

    Parameters
    ----------
    embeddings
        Array of shape (n_samples, n_views, embedding_dim).

    Returns
    -------
    ndarray of shape (n_samples, embedding_dim)
    """
    # A single view needs neither a mean nor a copy of the whole matrix.
    return embeddings[:, 0] if embeddings.shape[1] == 1 else embeddings.mean(axis=1)
