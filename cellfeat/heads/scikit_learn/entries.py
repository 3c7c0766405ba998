"""Scikit-learn's classifiers as entries of the table of heads, by name: ``sklearn:SVC``.

Names come from scikit-learn's own list of classifiers. Nothing else can be named: a configuration runs no code.
"""

import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from sklearn.base import is_classifier
from sklearn.utils import all_estimators

from cellfeat.errors import HeadError, UnknownNameError
from cellfeat.heads.registry import SKLEARN_PREFIX, Head
from cellfeat.heads.scikit_learn.head import MOST_ROWS, ScikitLearnHead
from cellfeat.text import first_line

HEAD_CLASS = "cellfeat.heads.scikit_learn.head:ScikitLearnHead"

NEED_A_BASE = {"SelfTrainingClassifier"}
"""Classifiers that can be built without a base estimator and not fitted."""

IN_THREADS = {"RandomForestClassifier", "ExtraTreesClassifier"}
"""Classifiers whose `n_jobs` are threads: they use all processors, as ``lightgbm`` does."""

OF_THE_HEAD = ("feature_transform", "feature_components")
"""Settings of the head around the estimator."""

_NUMBER = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+")

SEARCH_SPACES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "SVC": {"C": [0.1, 0.3, 1.0, 3.0, 10.0, 30.0], "kernel": ["rbf", "linear"]},
    "LinearSVC": {"C": [0.0003, 0.001, 0.003, 0.01, 0.1, 1.0]},
    "LogisticRegression": {"C": [0.0003, 0.001, 0.003, 0.01, 0.1, 1.0]},
    "RidgeClassifier": {"alpha": [1.0, 10.0, 100.0, 1000.0, 10000.0]},
    "RandomForestClassifier": {"max_features": ["sqrt", "log2", 0.1, 0.3], "min_samples_leaf": [1, 2, 5, 10]},
    "ExtraTreesClassifier": {"max_features": ["sqrt", "log2", 0.1, 0.3], "min_samples_leaf": [1, 2, 5, 10]},
    "HistGradientBoostingClassifier": {"learning_rate": [0.03, 0.1, 0.3], "max_leaf_nodes": [7, 15, 31]},
    "KNeighborsClassifier": {"n_neighbors": [3, 5, 10, 20, 50], "weights": ["uniform", "distance"]},
    "GaussianNB": {"var_smoothing": [1e-9, 1e-3, 1e-2, 1e-1, 1.0]},
    "MLPClassifier": {"alpha": [1e-4, 1e-2, 1.0], "hidden_layer_sizes": [[50], [100], [200]]},
}
"""Values that ``--tune`` tries, for the classifiers that people use most."""


@cache
def classifiers() -> Mapping[str, type]:
    """Scikit-learn's own classifiers by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # modules that scikit-learn is about to move
        return dict(all_estimators(type_filter="classifier"))


@dataclass(frozen=True)
class NamedEstimator(Head):
    """A classifier of scikit-learn by name, with settings from the configuration.

    Attributes
    ----------
    kind
        Its class.
    """

    kind: type

    def settings(self) -> set[str]:
        """Names of its settings: the parameters of the estimator, and those of the transform before it."""
        return {*_parameters(self.kind), *OF_THE_HEAD} - {"random_state"}

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Values to try for each setting; empty where nobody has chosen any."""
        return SEARCH_SPACES.get(self.kind.__name__, {})

    def make(
        self,
        settings: Mapping[str, Any],
        *,
        n_views: int = 1,  # noqa: ARG002, these heads take the mean over views
        random_state: int | None = None,
    ) -> ScikitLearnHead:
        """Build an unfitted head: see `cellfeat.heads.registry.make_head`.

        Parameters
        ----------
        settings
            Parameters of the estimator and of the transform.
        n_views
            No effect: these heads take the mean over views.
        random_state
            Seed of the estimator.

        Raises
        ------
        HeadError
            If there is no such setting, or the estimator refuses its value.
        """
        self.check_settings(settings)
        own = {name: value for name, value in settings.items() if name in OF_THE_HEAD}
        given = {name: _as_python(value) for name, value in settings.items() if name not in OF_THE_HEAD}
        estimator = self.kind(**{**self._defaults(), **given})
        _check_values(self.name, estimator)
        head = ScikitLearnHead(estimator, random_state=random_state, most_rows=MOST_ROWS.get(self.kind.__name__), **own)
        head._check_parameters()
        return head

    def _defaults(self) -> dict[str, Any]:
        """What differs from scikit-learn's defaults, to agree with the other heads."""
        parameters = _parameters(self.kind)
        balanced = {"class_weight": "balanced"} if "class_weight" in parameters else {}
        return balanced | ({"n_jobs": -1} if self.kind.__name__ in IN_THREADS else {})


def named_estimator(name: str) -> NamedEstimator:
    """Make the entry of ``sklearn:NAME``.

    Raises
    ------
    UnknownNameError
        If scikit-learn has no classifier of this name.
    HeadError
        If the classifier needs another estimator, which a configuration cannot give.
    """
    known = classifiers()
    kind = known.get(name)
    if kind is None:
        raise UnknownNameError(_unknown(name))
    needed = needed_parameters(kind)
    if needed:
        raise HeadError(
            f"{SKLEARN_PREFIX}{name} needs other estimators ({', '.join(needed)}), which a configuration cannot give; "
            f"in Python pass the object: cellfeat.compare(features, [{name}(…)])"
        )
    return NamedEstimator(
        f"{SKLEARN_PREFIX}{name}", HEAD_CLASS, "mean", f"{name} of scikit-learn, after standardising", kind
    )


def needed_parameters(kind: type) -> list[str]:
    """Parameters without which a classifier cannot be built or fitted."""
    needed = [name for name, one in _parameters(kind).items() if one.default is inspect.Parameter.empty]
    return needed or (["estimator"] if kind.__name__ in NEED_A_BASE else [])


def _parameters(kind: type) -> dict[str, inspect.Parameter]:
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {name: one for name, one in inspect.signature(kind).parameters.items() if one.kind not in variable}


def _unknown(name: str) -> str:
    known = classifiers()
    same = [one for one in known if one.casefold() == name.casefold()]
    if same:
        return f"no head is named {SKLEARN_PREFIX + name!r}; did you mean {SKLEARN_PREFIX + same[0]!r}?"
    near = get_close_matches(name, known, n=3, cutoff=0.6)
    meant = f"did you mean {' or '.join(repr(SKLEARN_PREFIX + one) for one in near)}? " if near else ""
    if "." in name:
        why = "a name of scikit-learn's list of classifiers is expected, without a module"
    elif name in dict(_other_estimators()):
        why = f"{name} of scikit-learn is not a classifier"
    else:
        why = f"scikit-learn has no classifier {name!r}"
    return f"no head is named {SKLEARN_PREFIX + name!r}: {why}; {meant}All names: cellfeat list sklearn"


@cache
def _other_estimators() -> tuple[tuple[str, type], ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(all_estimators())


def _as_python(value: Any) -> Any:
    """Give a value of a YAML file the type that scikit-learn expects.

    A list becomes a tuple, as in `hidden_layer_sizes`. YAML reads ``1e-3`` as text, and no parameter is such a text.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def _check_values(name: str, estimator: Any) -> None:
    """Let the estimator check its values now, before any fold is fitted."""
    assert is_classifier(estimator)
    check = getattr(estimator, "_validate_params", None)
    try:
        if check is not None:
            check()
    except (TypeError, ValueError) as error:
        raise HeadError(f"the head {name!r}: {first_line(error)}") from None
