"""Which held-out samples depend on each other: the groups that a saved head was fitted with."""

from cellfeat.errors import BundleError
from cellfeat.evaluation.remarks import Say
from cellfeat.extraction.store import GIVEN_GROUPS, Features
from cellfeat.heads.saved.bundle import Bundle, settings_of
from cellfeat.samples.labels.table import group_columns
from cellfeat.text import counted
from cellfeat.types import Strings


def groups_as_fitted(bundle: Bundle, features: Features, say: Say) -> str:
    """Choose the groups that the head was fitted with; ``"auto"``, with a remark, where these samples lack them.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The samples that it is scored on.
    say
        Receives the remark.
    """
    fitted = bundle.scores.get("groups", "auto")
    if isinstance(fitted, str) and fitted in features.samples.columns:
        return fitted
    column = _group_column(bundle) if fitted in ("auto", "group") else fitted
    has_groups = (features.samples.groups != "").any()
    if column and fitted not in ("copies", "none") and not has_groups:
        say(
            f"the head was fitted with the groups of {column}, which these samples lack: each sample forms its own "
            "group, with its copies. If samples depend on each other, the interval is too narrow (--groups)"
        )
    return "auto"


def shared_groups_sentence(held_out: Strings, fitted: Strings) -> str:
    """Say how many groups of held-out samples are groups of training samples as well; empty where none is.

    Parameters
    ----------
    held_out, fitted
        Group of each held-out and of each training sample, ``""`` for none; shapes ``(n_held_out,)`` and
        ``(n_fitted,)``.

    Examples
    --------
    >>> import numpy as np
    >>> shared_groups_sentence(np.array(["donor 1", "donor 2"]), np.array(["donor 2", ""]))[:51]
    '1 of 2 groups of the held-out samples has the name '
    """
    groups = set(held_out.tolist()) - {""}
    n_shared = len(groups & set(fitted.tolist()))
    if not n_shared:
        return ""
    have = "has the name" if n_shared == 1 else "have the names"
    return (
        f"{n_shared:,} of {counted(len(groups), 'group')} of the held-out samples {have} of groups among the training "
        "samples: if these are the same, samples of new groups may score less"
    )


def _group_column(bundle: Bundle) -> str | None:
    """Where the groups at fitting came from: a column of the labels, or values given in Python; None if unknown."""
    if GIVEN_GROUPS in bundle.provenance:
        return "values given in Python"
    try:
        return " and ".join(group_columns(settings_of(bundle).labels)) or None
    except BundleError:
        return None
