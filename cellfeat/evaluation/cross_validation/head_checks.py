"""Checks of heads and their settings before any fold is fitted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cellfeat.errors import ConfigError
from cellfeat.evaluation.fold_predictions.head_run import HeadSettings
from cellfeat.heads.registry import HEADS, Head, make_head
from cellfeat.heads.scikit_learn.given import GivenEstimator


def weight_remarks(heads: Sequence[Head]) -> Iterator[str]:
    """Name the estimator objects that weigh samples, where all other heads weigh classes equally."""
    for head in heads:
        if isinstance(head, GivenEstimator) and head.estimator.get_params(deep=False).get("class_weight", 0) is None:
            yield (
                f"{head.name}: every sample weighs the same, while the heads of the table give each class the same "
                "weight, as balanced accuracy does; for a fair comparison build it with class_weight='balanced'"
            )


def check_heads(heads: Sequence[str | Head], settings: Mapping[str, HeadSettings]) -> None:
    """Refuse an empty list of heads, a head named twice, and unknown heads or settings, before any fold is fitted.

    Parameters
    ----------
    heads
        Names from `HEADS`, or entries.
    settings
        Parameters by head.

    Raises
    ------
    ConfigError
        If `heads` is empty or names a head twice.
    UnknownNameError
        If no head has one of these names.
    HeadError
        If a head has no such setting.
    """
    if not heads:
        raise ConfigError("heads: expected one or more names, got none")
    names = [head if isinstance(head, str) else head.name for head in heads]
    if len(set(names)) < len(names):
        raise ConfigError(f"heads: expected each name once, got {', '.join(names)}")
    for name in set(settings).difference(names):
        HEADS[name]  # raises for an unknown name
    for name, head in zip(names, heads, strict=True):
        make_head(head, settings.get(name, {}), n_views=1, random_state=0)


def plain_settings(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give settings of one head, or of several by name, with Python's numbers in place of NumPy's.

    A loop over ``np.arange`` gives NumPy's, which records and saved heads cannot write as JSON.

    Parameters
    ----------
    settings
        As given in Python; None for none.
    """
    return {name: _plain(value) for name, value in (settings or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_plain(key): _plain(one) for key, one in value.items()}
    return value.item() if isinstance(value, np.generic) else value
