"""``cellfeat score``."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.saved_head import chosen_features, parsed_overrides, sample_options
from cellfeat.commands.options.shared import figures_flag, figures_option, page_option, replace_option
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import say, show
from cellfeat.commands.output.page_writing import refresh_page
from cellfeat.commands.steps.inference_inputs import (
    features_as_fitted,
    features_of_table,
    mark_of,
    say_apart,
    say_unlike_fitted,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cellfeat.config import Settings
    from cellfeat.evaluation.remarks import Say
    from cellfeat.evaluation.saved_heads.held_out import HeldOut
    from cellfeat.extraction.store import Features
    from cellfeat.figures import FigureKind
    from cellfeat.heads.saved.bundle import Bundle
    from cellfeat.samples.manifest.manifest import Manifest
    from cellfeat.storage.url import Location


@click.command("score")
@sample_options(
    labels_help="CSV of the labels, or none: those of folders and names; for --features it replaces those of the file."
)
@click.option("--label-column", metavar="NAME", help="Column of the labels in that CSV; as at fitting by default.")
@click.option(
    "--part",
    type=click.Choice(["train", "val", "test", "all"]),
    default="test",
    show_default=True,
    help="Part of a split that is scored; no effect without a split.",
)
@click.option(
    "--groups",
    metavar="auto|copies|none|COLUMN|CSV",
    help="Which samples are statistically dependent, for the interval; default: as at fitting.",
)
@click.option(
    "--standardise",
    metavar="COLUMN|one",
    help="For a head that standardises: column of plates, if not as at fitting; or one: all are of one plate.",
)
@click.option(
    "--fitted-on",
    type=PATH_OR_URL,
    metavar="FEATURES",
    help="Feature file that the head was fitted on: near copies of its samples are excluded too.",
)
@click.option("--fitted-images", type=PATH_OR_URL, help="Folder of its images, if they have moved.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the results; default: MODEL_on_LABELS.")
@figures_option
@page_option
@replace_option
def command(
    model: Path,
    features: "Location | None",
    images: "Location | None",
    table: Path | None,
    id_column: str | None,
    label_column: str | None,
    part: str,
    assignments: tuple[str, ...],
    groups: str | None,
    standardise: str | None,
    fitted_on: "Location | None",
    fitted_images: "Location | None",
    output: Path | None,
    figures: str | None,
    no_page: bool,
    replace: bool,
    **flags: Any,
) -> None:
    """Score a saved head on labelled samples that were held out, from a feature file or straight from images.

    With --table, a table of the columns that the head was fitted on is scored; --labels then names a second table.

    Exact duplicates of training samples are excluded; with --fitted-on so are near copies: overlapping crops of one
    field, and pictures that are another one turned or mirrored. The score is over the classes that the samples have,
    and is compared with the out-of-fold score over the same classes. Where the samples have a split, the test part is
    scored.

    Writes metrics.json, the predictions and figures; features extracted from images are kept with them. Scores on other
    samples in the folder are not replaced, unless --replace says so.
    """
    from cellfeat.evaluation.remarks import ignore_line
    from cellfeat.evaluation.saved_heads.held_out import score_held_out
    from cellfeat.extraction.store import load_features
    from cellfeat.heads.saved.bundle_files import load_bundle
    from cellfeat.reporting.files import SCORED_FILES, check_held_out_folder, write_held_out
    from cellfeat.saved_results.results_folder import ResultsFolder

    features = chosen_features(features, images, table, id_column)
    overrides = parsed_overrides(assignments)
    kinds = _figure_kinds(overrides, figures)
    bundle = load_bundle(model)
    if str(flags["labels"]) == "none":
        # The labels are those of the folders or names, as at fitting.
        flags["labels"] = None
    folder = output or _default_folder(model, flags["labels"] or images or table or features or Path())
    check_held_out_folder(folder)
    request = _Request(bundle, overrides, None if table else flags["labels"], label_column)
    # With images, the extraction says how the table was read.
    joined = images is not None and request.is_of_fields
    labels = None if joined else request.read_labels(ignore_line if images else say)
    if features:
        samples = load_features(features)
    elif table:
        samples = features_of_table(bundle, table, id_column=id_column, labels=flags["labels"], label=label_column)
    else:
        samples = _extracted(request, images or Path(), folder, groups, **flags)
    results = ResultsFolder.of(folder, samples, replaces=replace)
    results.check(SCORED_FILES)
    say_unlike_fitted(bundle, samples)
    fitted = load_features(fitted_on) if fitted_on else None
    near = _near_copies(bundle, fitted, fitted_images, samples, images) if fitted is not None else None
    if fitted is not None:
        _say_shared_groups(samples, fitted, groups)
    found = score_held_out(
        bundle,
        samples,
        groups=groups,
        labels=request.matched(labels, samples),
        is_near_copy=near,
        split=overrides.get("labels.split"),
        parts=None if part == "all" else [part],
        leave_out=request.leave_out,
        standardise=standardise,
        say=say,
    )
    results.check(SCORED_FILES)
    results.record()
    write_held_out(found, folder, figures=kinds)
    _print(found)
    say_apart(found.apart)
    show(f"\nscores: {folder} (metrics.json: every figure; and pictures)")
    if images:
        show(f"features: {samples.path} (score other heads on them with --features)")
    if not no_page and overrides.get("comparison.page", True):
        refresh_page(folder, samples, fitted)


def _figure_kinds(overrides: dict[str, Any], figures: str | None) -> "Sequence[FigureKind]":
    """File formats of the figures, checked before any work."""
    from cellfeat.config import Settings
    from cellfeat.config_sources import override_settings

    key = "comparison.figures"
    given = figures_flag(figures) if figures else {key: overrides[key]} if key in overrides else {}
    return override_settings(Settings(), given).comparison.figures


def _default_folder(model: Path, samples: "Location") -> Path:
    from cellfeat.storage.url import own_name

    # "." and ".." have no name of their own.
    folder = model if model.name not in ("", "..") else model.resolve()
    return folder.with_name(f"{folder.name}_on_{PurePath(own_name(samples)).stem}")


def _print(found: "HeldOut") -> None:
    from cellfeat.commands.output.console import print_table
    from cellfeat.reporting.terminal.head import render_classes
    from cellfeat.reporting.terminal.held_out import held_out_details, held_out_lines

    show("\n".join([*held_out_lines(found), ""]))
    print_table(render_classes(found))
    show("\n".join(["", *held_out_details(found)]))


@dataclass(frozen=True)
class _Request:
    """The saved head, the table of labels, and the settings that differ from those of the training."""

    bundle: "Bundle"
    overrides: dict[str, Any]
    file: "Location | None"
    column: str | None

    @cached_property
    def settings(self) -> "Settings":
        from cellfeat.config_sources import override_settings
        from cellfeat.heads.saved.bundle import settings_of

        named = {"labels.label": self.column} if self.column else {}
        # Rows without a sample are an error unless these samples are said to differ.
        return override_settings(settings_of(self.bundle), {"labels.unmatched": "error", **self.overrides, **named})

    @property
    def is_of_fields(self) -> bool:
        """Whether samples are cells of whole fields, whose labels the extraction joins by cell, field or well."""
        return self.settings.images.layout == "fields"

    @property
    def for_extraction(self) -> dict[str, Any]:
        """The overrides of the extraction, which joins the labels of fields itself."""
        named = {"labels.label": self.column} if self.column and self.is_of_fields else {}
        return {**self.overrides, **named}

    @property
    def leave_out(self) -> tuple[str, ...] | None:
        """Classes that are left out; None: those that were left out at fitting."""
        return self.settings.comparison.leave_out if "comparison.leave_out" in self.overrides else None

    def read_labels(self, say: "Say") -> dict[str, str] | None:
        """Read labels by id, and check before any work that the head can be scored on them."""
        import numpy as np

        from cellfeat.samples.manifest.build import label_by_id

        if self.file is None:
            return None
        if self.settings.labels.label is None:
            raise click.UsageError(
                "the head was fitted without a table of labels: say --label-column NAME; ids that are not in a column "
                f"{self.settings.labels.id} are named with --set labels.id=NAME"
            )
        labels = label_by_id(self.settings.images, self.settings.labels, self.file, say=say)
        self.check(self.file, np.array(list(labels.values()), dtype=str))
        return labels

    def check(self, where: "Location", label: "NDArray[np.str_]") -> None:
        """Check the labels of all samples; where there is a split, only its part counts, and this comes later."""
        import numpy as np

        from cellfeat.evaluation.saved_heads.held_out_checks import check_labels

        if self.settings.split_column is None:
            check_labels(self.bundle, where, np.where(np.isin(label, self.leave_out or ()), "", label))

    def matched(self, labels: dict[str, str] | None, samples: "Features") -> dict[str, str] | None:
        """Leave out labels without a sample, where the settings allow it."""
        from cellfeat.evaluation.relabelling.new_labels import matched_labels

        return None if labels is None else matched_labels(labels, samples, self.settings, say=say)


def _extracted(request: _Request, images: "Location", folder: Path, groups: str | None, **flags: Any) -> "Features":
    from cellfeat.evaluation.groups.sample_groups import check_groups

    def check(manifest: "Manifest") -> None:
        # Checked here, before the extraction, which takes long.
        check_groups(groups or "auto", manifest.columns)
        if flags["labels"] is None or request.is_of_fields:
            request.check(images, manifest.table["label"].to_numpy(str))

    kept = folder / f"{mark_of(images, flags['labels'])}.features.h5"
    return features_as_fitted(request.bundle, images, kept, check=check, overrides=request.for_extraction, **flags)


def _near_copies(
    bundle: "Bundle",
    fitted: "Features",
    fitted_images: "Location | None",
    samples: "Features",
    images: "Location | None",
) -> "NDArray[np.bool_] | None":
    from cellfeat.evaluation.saved_heads.fitted_copies import near_copies_of_fitted

    if samples.is_imported:
        say("the samples are rows of a table: near copies, which images show, are not searched for")
        return None

    return near_copies_of_fitted(
        bundle,
        fitted,
        samples,
        fitted_images=fitted_images or _recorded_images(fitted, "--fitted-images"),
        images=images or _recorded_images(samples, "--images, in place of --features,"),
        say=say,
    )


def _say_shared_groups(samples: "Features", fitted: "Features", column: str | None) -> None:
    """Warn where samples were held out, but not their donors, plates or fields."""
    from cellfeat.evaluation.saved_heads.groups_as_fitted import shared_groups_sentence

    of_samples, of_fitted = (one.samples.columns.get(column or "", one.samples.groups) for one in (samples, fitted))
    if sentence := shared_groups_sentence(of_samples, of_fitted):
        say(f"warning: {sentence}")


def _recorded_images(features: "Features", option: str) -> "Location":
    from cellfeat.errors import MissingFileError
    from cellfeat.samples.folders.opening import open_folder

    root = features.recorded_images
    if root is None:
        raise MissingFileError(
            f"{features.path}: does not say which images it was extracted from, and the search for near copies reads "
            "them; extract the samples again"
        )
    if not open_folder(root).exists():
        raise MissingFileError(
            f"the images that {features.path} was made from are not in {root} any more, and the search for "
            f"near copies reads them; say with {option} where they are"
        )
    return root
