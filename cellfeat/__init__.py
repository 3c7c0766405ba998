"""Cell images through a frozen backbone once; heads compared honestly, in seconds.

The names below are the public API; each is imported when it is first used, so that ``import cellfeat`` loads no torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "BACKBONES": "cellfeat.backbones.registry",
    "HEADS": "cellfeat.heads.registry",
    "CellfeatError": "cellfeat.errors",
    "Settings": "cellfeat.config",
    "load_settings": "cellfeat.config_sources",
    "build_manifest": "cellfeat.samples.manifest",
    "extract": "cellfeat.extraction.extract",
    "import_table": "cellfeat.interop.tables.importing",
    "load_features": "cellfeat.extraction.store",
    "audit": "cellfeat.auditing.audit",
    "compare": "cellfeat.evaluation.compare",
    "Design": "cellfeat.evaluation.design",
    "Features": "cellfeat.extraction.store",
    "Hooks": "cellfeat.evaluation.hooks",
    "fit": "cellfeat.evaluation.fit",
    "predict": "cellfeat.evaluation.saved_heads.predict",
    "score_held_out": "cellfeat.evaluation.saved_heads.held_out",
    "near_copies_of_fitted": "cellfeat.evaluation.saved_heads.fitted_copies",
    "load_bundle": "cellfeat.heads.bundle_files",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'cellfeat' has no attribute {name!r}") from None
    return getattr(import_module(home), name)
