"""The keyword arguments of an evaluation, made of settings and options."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellfeat.commands.output.progress import ProgressObserver
    from cellfeat.config import Settings
    from cellfeat.extraction.store import Features
    from cellfeat.storage.url import Location


def evaluation_arguments(
    features: "Features", settings: "Settings", labels: "Location | None", observer: "ProgressObserver", *, fresh: bool
) -> dict[str, Any]:
    """Give the keyword arguments that `compare` and `fit` share.

    Parameters
    ----------
    features
        The samples.
    settings
        The resolved settings.
    labels
        Table of labels that replace the extracted ones.
    observer
        Shows progress.
    fresh
        Whether predictions in the cache are ignored and replaced.
    """
    from cellfeat.evaluation.design import Design
    from cellfeat.evaluation.fold_predictions.cache import CACHE_FOLDER, FoldCache
    from cellfeat.evaluation.relabelling.new_labels import read_new_labels

    return {
        "design": Design.from_settings(settings),
        "labels": read_new_labels(features, settings, labels, say=observer.say_once) if labels else None,
        "cache": FoldCache(settings.results / CACHE_FOLDER, is_fresh=fresh),
        "hooks": observer.hooks(),
    }
