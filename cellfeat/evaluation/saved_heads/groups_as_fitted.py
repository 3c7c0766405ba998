"""Which held-out samples depend on each other: the groups that a saved head was fitted with."""

from cellfeat.errors import BundleError
from cellfeat.evaluation.hooks import Say
from cellfeat.extraction.store import GIVEN_GROUPS, Features
from cellfeat.heads.bundle import Bundle, settings_of
from cellfeat.samples.labels import group_columns


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


def _group_column(bundle: Bundle) -> str | None:
    """Where the groups at fitting came from: a column of the labels, or values given in Python; None if unknown."""
    if GIVEN_GROUPS in bundle.provenance:
        return "values given in Python"
    try:
        return " and ".join(group_columns(settings_of(bundle).labels)) or None
    except BundleError:
        return None
