"""Estimator objects from Python as heads."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from cellfeat.errors import HeadError
from cellfeat.heads.registry import HEADS, Head
from cellfeat.heads.scikit_learn.entries import HEAD_CLASS
from cellfeat.heads.scikit_learn.head import ScikitLearnHead
from cellfeat.text import first_ten

Headlike: TypeAlias = str | Head | Any
"""A name in `HEADS`, an entry, or an estimator object."""


@dataclass(frozen=True)
class GivenEstimator(Head):
    """An estimator object under a name.

    Attributes
    ----------
    estimator
        The object. It is copied for each fold and stays as it is.
    """

    estimator: Any

    def settings(self) -> set[str]:
        """No names: its parameters are set on the object."""
        return set()

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """No values: nothing is tuned."""
        return {}

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings.

        Raises
        ------
        HeadError
            If there are any.
        """
        if settings:
            raise HeadError(
                f"the head {self.name!r} is an estimator object, whose parameters are set on the object; got settings "
                f"for it: {first_ten(settings)}"
            )

    def make(
        self,
        settings: Mapping[str, Any],
        *,
        n_views: int = 1,  # noqa: ARG002, these heads take the mean over views
        random_state: int | None = None,
    ) -> ScikitLearnHead:
        """Build an unfitted head around a copy of the object.

        A pipeline prepares the columns itself and gets them as they are; for any other classifier they are
        standardised.

        Parameters
        ----------
        settings
            Must be empty.
        n_views
            No effect: these heads take the mean over views.
        random_state
            Seed where the object has none.
        """
        self.check_settings(settings)
        transform = "none" if isinstance(self.estimator, Pipeline) else "standardise"
        return ScikitLearnHead(self.estimator, feature_transform=transform, random_state=random_state)


def chosen_heads(heads: Headlike | Iterable[Headlike] | Mapping[str, Any]) -> tuple[Head, ...]:
    """Give the entries of heads that are named, or given as estimator objects.

    Objects in a list get the name of their class, and a number where there are several: ``SVC``, ``SVC_2``.

    Parameters
    ----------
    heads
        Names in `HEADS`, estimator objects, and dicts of estimator objects by name; or one of these.

    Raises
    ------
    UnknownNameError
        If no head has a name.
    HeadError
        If an object is not a classifier that can be copied, or has the name of a head in `HEADS`.
    """
    if isinstance(heads, str | Head | BaseEstimator | Mapping | type):
        return tuple(_entries([heads]))
    return tuple(_entries(heads))


def _named_object(name: Any, value: Any) -> Head:
    if isinstance(value, str) and value == name:
        return HEADS[value]
    if isinstance(value, str):
        raise HeadError(
            f"heads: {name!r}: expected a classifier, got the name {value!r}; a head of the table keeps its name: give "
            f"{{{value!r}: {value!r}}}, or a list: [{value!r}, {{...}}]"
        )
    if not isinstance(name, str) or not name.strip():
        raise HeadError(f"heads: expected names that are text, got {name!r}")
    if name in HEADS:
        raise HeadError(f"heads: {name!r} is the name of a head in the table; give the estimator another name")
    return _entry(name, value)


def _entries(heads: Iterable[Any]) -> Iterator[Head]:
    used: set[str] = set()
    for one in heads:
        if isinstance(one, Mapping):
            named = [_named_object(name, value) for name, value in one.items()]
            used.update(entry.name for entry in named)
            yield from named
            continue
        entry = HEADS[one] if isinstance(one, str) else one
        if not isinstance(entry, Head):
            entry = _entry(_free_name(type(one).__name__, used), one)
        used.add(entry.name)
        yield entry


def _free_name(name: str, used: set[str]) -> str:
    number = 2
    free = name
    while free in used or free in HEADS:
        free, number = f"{name}_{number}", number + 1
    return free


def _entry(name: str, estimator: Any) -> GivenEstimator:
    if isinstance(estimator, type):
        kind = estimator.__name__
        raise HeadError(f"heads: expected objects, got the class {kind}; write {kind}()")
    if not all(hasattr(estimator, method) for method in ("fit", "get_params", "set_params")):
        raise HeadError(
            f"heads: {name}: expected a classifier with scikit-learn's interface (fit, get_params, set_params), got "
            f"{type(estimator).__name__}"
        )
    if not is_classifier(estimator):
        kind = type(estimator).__name__
        raise HeadError(f"heads: {name}: expected a classifier, got {kind}, which is not one{_mixin_advice(estimator)}")
    return GivenEstimator(name, HEAD_CLASS, "mean", f"{type(estimator).__name__} object", estimator)


def _mixin_advice(estimator: Any) -> str:
    """What makes a class of one's own a classifier: the mixin, and before the base class, whose tags win otherwise."""
    if hasattr(estimator, "predict") and not is_regressor(estimator):
        return f": write class {type(estimator).__name__}(ClassifierMixin, BaseEstimator), in this order"
    return ""
