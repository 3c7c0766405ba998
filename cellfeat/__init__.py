"""Cell images through a frozen backbone once; heads compared honestly, in seconds.

The names below are the public API; each is imported when it is first used, so that ``import cellfeat`` loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; `_HOMES` says the same, and a test compares the two
    from cellfeat.auditing.audit import audit as audit
    from cellfeat.auditing.findings import Audit as Audit
    from cellfeat.backbones.registry import BACKBONES as BACKBONES
    from cellfeat.config import Settings as Settings
    from cellfeat.config_sources import load_settings as load_settings
    from cellfeat.errors import CellfeatError as CellfeatError
    from cellfeat.evaluation.comparison.compare import compare as compare
    from cellfeat.evaluation.comparison.several_features import compare_features as compare_features
    from cellfeat.evaluation.cross_validation.hooks import Hooks as Hooks
    from cellfeat.evaluation.design import Design as Design
    from cellfeat.evaluation.learning_curves.learning_curves import learning_curves as learning_curves
    from cellfeat.evaluation.relabelling.changes import read_relabelling as read_relabelling
    from cellfeat.evaluation.results.comparison import Comparison as Comparison
    from cellfeat.evaluation.saved_heads.fit import fit as fit
    from cellfeat.evaluation.saved_heads.fitted_copies import near_copies_of_fitted as near_copies_of_fitted
    from cellfeat.evaluation.saved_heads.held_out import HeldOut as HeldOut
    from cellfeat.evaluation.saved_heads.held_out import score_held_out as score_held_out
    from cellfeat.evaluation.saved_heads.predict import predict as predict
    from cellfeat.extraction.extract import extract as extract
    from cellfeat.extraction.store import Features as Features
    from cellfeat.extraction.store import load_features as load_features
    from cellfeat.heads.registry import HEADS as HEADS
    from cellfeat.heads.saved.bundle import Bundle as Bundle
    from cellfeat.heads.saved.bundle_files import load_bundle as load_bundle
    from cellfeat.heads.saved.bundle_files import save_bundle as save_bundle
    from cellfeat.interop.exports.export import export as export
    from cellfeat.interop.exports.export import export_model as export_model
    from cellfeat.interop.exports.registry import EXPORTS as EXPORTS
    from cellfeat.interop.tables.importing import import_table as import_table
    from cellfeat.maps.sample_map import find_map as find_map
    from cellfeat.maps.sample_map import make_map as make_map
    from cellfeat.page.notebook import show_page as show_page
    from cellfeat.proposing.looking import propose as propose
    from cellfeat.proposing.proposal import Proposal as Proposal
    from cellfeat.recommending.recommend import recommend as recommend
    from cellfeat.recommending.recommendation import Recommendation as Recommendation
    from cellfeat.recommending.saving import save_recommendation as save_recommendation
    from cellfeat.reporting.map_figure import draw_map as draw_map
    from cellfeat.reporting.sheets import SheetOptions as SheetOptions
    from cellfeat.reporting.sheets import draw_examples as draw_examples
    from cellfeat.reporting.sheets import draw_mistakes as draw_mistakes
    from cellfeat.samples.manifest.build import build_manifest as build_manifest
    from cellfeat.saved_results.reading import read_results as read_results

_HOMES = {
    "BACKBONES": "cellfeat.backbones.registry",
    "HEADS": "cellfeat.heads.registry",
    "EXPORTS": "cellfeat.interop.exports.registry",
    "Audit": "cellfeat.auditing.findings",
    "Bundle": "cellfeat.heads.saved.bundle",
    "CellfeatError": "cellfeat.errors",
    "Comparison": "cellfeat.evaluation.results.comparison",
    "Design": "cellfeat.evaluation.design",
    "Features": "cellfeat.extraction.store",
    "HeldOut": "cellfeat.evaluation.saved_heads.held_out",
    "Hooks": "cellfeat.evaluation.cross_validation.hooks",
    "Recommendation": "cellfeat.recommending.recommendation",
    "Settings": "cellfeat.config",
    "Proposal": "cellfeat.proposing.proposal",
    "SheetOptions": "cellfeat.reporting.sheets",
    "audit": "cellfeat.auditing.audit",
    "build_manifest": "cellfeat.samples.manifest.build",
    "compare": "cellfeat.evaluation.comparison.compare",
    "compare_features": "cellfeat.evaluation.comparison.several_features",
    "draw_examples": "cellfeat.reporting.sheets",
    "draw_map": "cellfeat.reporting.map_figure",
    "draw_mistakes": "cellfeat.reporting.sheets",
    "extract": "cellfeat.extraction.extract",
    "fit": "cellfeat.evaluation.saved_heads.fit",
    "import_table": "cellfeat.interop.tables.importing",
    "learning_curves": "cellfeat.evaluation.learning_curves.learning_curves",
    "load_bundle": "cellfeat.heads.saved.bundle_files",
    "export": "cellfeat.interop.exports.export",
    "export_model": "cellfeat.interop.exports.export",
    "load_features": "cellfeat.extraction.store",
    "load_settings": "cellfeat.config_sources",
    "find_map": "cellfeat.maps.sample_map",
    "make_map": "cellfeat.maps.sample_map",
    "near_copies_of_fitted": "cellfeat.evaluation.saved_heads.fitted_copies",
    "predict": "cellfeat.evaluation.saved_heads.predict",
    "propose": "cellfeat.proposing.looking",
    "recommend": "cellfeat.recommending.recommend",
    "save_recommendation": "cellfeat.recommending.saving",
    "read_results": "cellfeat.saved_results.reading",
    "read_relabelling": "cellfeat.evaluation.relabelling.changes",
    "save_bundle": "cellfeat.heads.saved.bundle_files",
    "show_page": "cellfeat.page.notebook",
    "score_held_out": "cellfeat.evaluation.saved_heads.held_out",
}

__all__ = sorted(_HOMES)


def __dir__() -> list[str]:
    # What users may call, for completion: the names that this module imports for itself are none of these.
    return sorted({*(name for name in globals() if name.startswith("__")), *_HOMES})


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'cellfeat' has no attribute {name!r}") from None
    return getattr(import_module(home), name)
