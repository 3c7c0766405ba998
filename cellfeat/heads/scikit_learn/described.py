"""The parameters of an estimator as plain JSON values, and the seed that a run gives it."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone

OWN_PACKAGES = ("sklearn", "numpy", "scipy", "builtins")
"""Packages whose objects an estimator may hold and still be known by its parameters and the installed versions."""

SEED = "random_state"


def described(estimator: Any) -> dict[str, Any]:
    """Give all parameters of an estimator, those of nested estimators included, as plain JSON values.

    An object that JSON cannot hold, such as a nested estimator, is given by the name of its type.
    """
    return {name: _plain(value) for name, value in sorted(estimator.get_params(deep=True).items())}


def is_known_by_parameters(estimator: Any) -> bool:
    """Whether parameters and versions say all about an estimator: it consists of scikit-learn's own types only."""
    return all(_is_own(value) for value in (estimator, *estimator.get_params(deep=True).values()))


def with_seed(estimator: Any, random_state: int | None) -> Any:
    """Copy an estimator, unfitted, and give each `random_state` that is None a seed, those of nested estimators too.

    Parameters
    ----------
    estimator
        The estimator; it stays as it is.
    random_state
        The seed; None leaves the copy as it is.
    """
    copy = clone(estimator)
    if random_state is None:
        return copy
    params = copy.get_params(deep=True)
    seeds = [name for name in params if name == SEED or name.endswith(f"__{SEED}")]
    return copy.set_params(**{name: random_state for name in seeds if params[name] is None})


def _is_own(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_own, value.values()))
    if isinstance(value, list | tuple | set):
        return all(map(_is_own, value))
    if hasattr(value, "get_params") or value is None:
        return value is None or type(value).__module__.partition(".")[0] in OWN_PACKAGES
    # A function is known by its name alone, which says nothing about its source.
    return isinstance(value, str | int | float | np.generic)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        kind = value if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")) else type(value)
        return f"{kind.__module__}.{kind.__qualname__}"
    return value
