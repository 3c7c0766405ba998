"""`export` writes features and predictions for other programs, `export_model` a saved head."""

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path

import numpy as np

from cellfeat.backbones.side_by_side import Weights
from cellfeat.errors import ConfigError, FeatureFileError, WriteError
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.extraction.store import Features, load_features
from cellfeat.extraction.store.in_memory import IN_MEMORY
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import as_bundle, load_bundle
from cellfeat.interop.exports.contents import Contents, contents_of
from cellfeat.interop.exports.predicted import predicted_by
from cellfeat.interop.exports.projections import tsne_of
from cellfeat.interop.exports.registry import EXPORTS, ExportFormat
from cellfeat.provenance import publish
from cellfeat.registry import import_attribute
from cellfeat.saved_results.predictions import Results, results_of
from cellfeat.storage.url import Location, as_location
from cellfeat.text import first_ten


@dataclass(frozen=True)
class ModelExport:
    """A saved head to export.

    Attributes
    ----------
    bundle
        The saved head.
    with_backbone
        Whether the network that makes its embeddings is exported with it.
    weights
        Weights of that network, as for `cellfeat.backbones.registry.load_backbone`; None for those of the extraction.
    """

    bundle: Bundle
    with_backbone: bool = False
    weights: Weights | None = None


def export(
    features: Features | Location | str,
    to: str,
    path: Path | str | None = None,
    *,
    results: Path | str | Comparison | None = None,
    model: Bundle | Path | str | None = None,
    standardise: str | None = None,
    with_tsne: bool = False,
    replace: bool = False,
    say: Say = ignore_line,
) -> Path:
    """Write samples, embeddings and predictions in a format of other programs.

    Samples that could not be read are left out.

    Parameters
    ----------
    features
        A feature file, or features in memory.
    to
        A name in `EXPORTS`: ``h5ad``, ``profiles``, ``parquet``, ``csv``, ``npz``, ``croissant`` or ``ro-crate``.
    path
        The file, or an existing folder to write it in; None for a file beside the features, named like them. Features
        in memory that are in no file need one.
    results
        Predictions to add: the folder of a comparison, of a saved head or of held-out scores; or a comparison.
    model
        A saved head, or its folder, whose predictions are added, in place of `results`.
    standardise
        For a model that standardises within plates: as for `cellfeat.predict`.
    with_tsne
        Whether ``X_tsne`` is added to an ``h5ad``.
    replace
        Whether an existing file is replaced.
    say
        Receives a line about samples that are left out, and one about labels of the results.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownNameError, ConfigError
        If there is no such format, it does not hold what is asked for, or features in memory are given no path.
    WriteError
        If the file exists and `replace` is False, or cannot be written.
    FeatureFileError
        If no sample could be read.
    MissingFileError, RecordError, FingerprintError, ManifestError
        If the results cannot be read, or are not of these samples; or the saved head takes other features.

    Examples
    --------
    >>> cellfeat.export("features/cells.h5", to="h5ad", results="results/cells")  # doctest: +SKIP
    PosixPath('features/cells.h5ad')
    """
    entry = _entry(to, "features")
    if with_tsne and to != "h5ad":
        raise ConfigError(f"t-SNE is written to h5ad only, not to {to}; leave it out, or choose h5ad")
    if results is not None and model is not None:
        raise ConfigError("results and model: expected one of them")
    if standardise is not None and model is None:
        raise ConfigError("standardise: goes with a model; the features themselves are exported as they are")
    source: Location = features.path if isinstance(features, Features) else as_location(features)
    beside = Path("features.h5") if source == IN_MEMORY else source if isinstance(source, Path) else Path(source.name)
    if source == IN_MEMORY and path is None:
        name = entry.default_name(beside.stem)
        raise ConfigError(f"these features are in no file yet: expected a path to write to, such as path={name!r}")
    target = _target(entry, beside, path, replace=replace)
    write = import_attribute(entry.writer_of(target), entry.extra)
    if not isinstance(features, Features):
        features = load_features(source)
    found = None if results is None else results_of(results, features)
    if model is not None:
        found, remarks = predicted_by(as_bundle(model), features, standardise)
        for line in remarks:
            say(line)
    _check_not_read(target, [source, *([] if found is None or found.folder is None else found.folder.iterdir())])
    contents = _contents(features, found, say)
    if with_tsne:
        contents = replaced(contents, maps={"X_tsne": tsne_of(contents)})
    with publish(target) as temporary:
        write(contents, temporary)
    return target


def export_model(
    bundle: Bundle | Path | str,
    to: str = "onnx",
    path: Path | str | None = None,
    *,
    with_backbone: bool = False,
    weights: Weights | None = None,
    replace: bool = False,
) -> Path:
    """Write a saved head in a format of other programs.

    Parameters
    ----------
    bundle
        A saved head, or its folder.
    to
        A name in `EXPORTS`: ``onnx``.
    path
        The file, or an existing folder to write it in; None for a file beside the folder of the saved head. A head in
        memory needs a path.
    with_backbone
        Whether the network that makes the embeddings is included, so that the model takes images.
    weights
        Its weights, as for `load_networks`; None for those of the extraction.
    replace
        Whether an existing file is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownNameError, ConfigError
        If there is no such format, or it does not hold saved heads.
    HeadError, BackboneError, WeightsError
        If the head or the network cannot be exported, or the weights are not those of the extraction.
    WriteError
        If the file exists and `replace` is False, or cannot be written.
    """
    entry = _entry(to, "model")
    if isinstance(bundle, Bundle):
        if path is None:
            raise ConfigError("a saved head in memory has no folder: expected a path to write it to")
        target = _target(entry, Path(bundle.head_name), path, replace=replace)
    else:
        folder = Path(bundle)
        target = _target(entry, folder.parent / f"{folder.resolve().name}.h5", path, replace=replace)
        _check_not_inside(target, folder)
        bundle = load_bundle(folder)
    write = import_attribute(entry.writer_of(target), entry.extra)
    with publish(target) as temporary:
        write(ModelExport(bundle, with_backbone, weights), temporary)
    return target


def _entry(name: str, source: str) -> ExportFormat:
    entry = EXPORTS[name]
    if entry.source != source:
        others = ", ".join(one.name for one in EXPORTS.values() if one.source == source)
        what = {"features": "a feature file", "model": "a saved head"}
        raise ConfigError(f"{name}: is made of {what[entry.source]}; of {what[source]} these are: {others}")
    return entry


def _target(entry: ExportFormat, source: Path, path: Path | str | None, *, replace: bool) -> Path:
    """Where the file will be; checked before anything is computed."""
    name = entry.default_name(source.stem)
    target = source.with_name(name) if path is None else Path(path)
    if path is not None and target.is_dir():
        target = target / name
    entry.writer_of(target)
    if target.exists() and not replace:
        raise WriteError(
            f"{target}: exists already; choose another --output, or replace it with --replace (replace=True)"
        )
    return target


def _check_not_read(target: Path, inputs: Iterable[Location]) -> None:
    if any(isinstance(one, Path) and one.exists() and target.exists() and one.samefile(target) for one in inputs):
        raise WriteError(f"{target}: is a file that is read here, or of these results; choose another --output")


def _check_not_inside(target: Path, folder: Path) -> None:
    """A folder of a saved head that holds other files could not be replaced by `fit` any more."""
    if folder.resolve() in target.resolve().parents:
        raise WriteError(
            f"{target}: lies in the folder of the saved head, which holds nothing else; choose another --output"
        )


def _contents(features: Features, results: Results | None, say: Say) -> Contents:
    contents = contents_of(features, results)
    if not len(contents):
        raise FeatureFileError(f"{features.path}: none of its {len(features)} samples could be read; nothing to export")
    if contents.failed:
        say(f"left out: {len(contents.failed)} samples that could not be read: {first_ten(contents.failed)}")
    n_other = int(np.sum(contents.labels != contents.samples.labels))
    if n_other:
        say(f"labels of {n_other} samples are those of the results, which differ from those of {features.path.name}")
    return contents
