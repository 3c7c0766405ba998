"""A saved head of scikit-learn, restored."""

from collections.abc import Mapping
from typing import Any

from cellfeat.errors import HeadError
from cellfeat.heads.registry import SKLEARN_PREFIX
from cellfeat.heads.scikit_learn.entries import OF_THE_HEAD
from cellfeat.heads.scikit_learn.head import ScikitLearnHead
from cellfeat.heads.state import HeadState


def restored_head(name: str, params: Mapping[str, Any], state: HeadState) -> ScikitLearnHead:
    """Restore a head from its saved estimator.

    Parameters
    ----------
    name
        Its name: ``sklearn:NAME``, or that of an estimator object.
    params
        Its recorded parameters.
    state
        Its learned part.

    Raises
    ------
    HeadError
        If the state does not belong to such a head.
    """
    absent = [key for key in OF_THE_HEAD if key not in params]
    if absent:
        raise HeadError(f"the parameters lack {absent[0]}")
    own = {key: params[key] for key in OF_THE_HEAD}
    head = ScikitLearnHead(None, **own).set_state(state)
    head.estimator = head.estimator_
    # As they were given: another version of scikit-learn may have further parameters.
    head.saved_params_ = dict(params)
    kind = type(head.estimator_).__name__
    if name.startswith(SKLEARN_PREFIX) and kind != name.removeprefix(SKLEARN_PREFIX):
        raise HeadError(f"expected an estimator {name.removeprefix(SKLEARN_PREFIX)}, got {kind}")
    return head
