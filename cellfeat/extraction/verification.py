"""Check a feature file against its images, and against embeddings that are extracted again."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cellfeat.backbones.side_by_side import Weights
from cellfeat.config import Settings
from cellfeat.errors import FeatureFileError, FingerprintError
from cellfeat.extraction.extract import extract, settings_like
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.store import (
    Summary,
    allowed_difference,
    is_imported,
    load_features,
    read_embeddings,
    read_pixel_digests,
    read_summary,
    read_table,
)
from cellfeat.extraction.survey import changed_rows, decoder_of
from cellfeat.samples.fields.other_images import fields_beside
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.worker_pool import reading_processes, sample_reader
from cellfeat.storage.url import Location
from cellfeat.text import first_line, first_ten
from cellfeat.types import Floats


@dataclass(frozen=True)
class SampleCheck:
    """Result of extracting some rows again.

    Attributes
    ----------
    sample_ids
        The samples, drawn at random from those that could be read.
    differences
        Distance between the two embeddings of each sample, relative to the length of the first, shape ``(n,)``.
    allowed
        The largest difference that rounding explains.
    """

    sample_ids: list[str]
    differences: Floats
    allowed: float

    def __str__(self) -> str:
        worst = int(self.differences.argmax())
        return (
            f"{len(self.sample_ids)} samples extracted again: the largest difference is {self.differences[worst]:.1e} "
            f"of an embedding's length (sample {self.sample_ids[worst]}; rounding allows {self.allowed:.0e})"
        )


def recorded_manifest(path: Location, images: Location | None = None) -> Manifest:
    """Find the samples of a feature file again, in the order of its rows, as its settings describe them.

    Parameters
    ----------
    path
        The feature file.
    images
        Folder of the images now; None: where they were.

    Raises
    ------
    ManifestError, MissingFileError
        If images or labels are missing.
    FingerprintError
        If samples of the file are not found.
    """
    settings = _current_settings(read_summary(path), images)
    found = build_manifest(settings.images, settings.labels)
    row_of = {sample_id: row for row, sample_id in enumerate(found.table["sample_id"])}
    ids = read_table(path).sample_id
    lost = [sample_id for sample_id in ids if sample_id not in row_of]
    if lost:
        raise FingerprintError(
            f"{path}: {len(lost)} of its {len(ids)} samples have no image in {settings.images.root}: "
            f"{first_ten(lost)}; say where the images are now with --root DIR"
        )
    taken = found.take(np.array([row_of[i] for i in ids], np.intp))
    return replace(taken, table=taken.table.reset_index(drop=True))


def check_pixels(path: Location, manifest: Manifest) -> None:
    """Read every image again, and compare its pixels with those that were extracted.

    Parameters
    ----------
    path
        The feature file.
    manifest
        Its samples; see `recorded_manifest`.

    Raises
    ------
    FingerprintError
        If pixels have changed, or samples can be read now and could not be read then, or the reverse.
    """
    summary = read_summary(path)
    settings = _current_settings(summary, None)
    with reading_processes(settings.extraction) as workers:
        decoder = decoder_of(summary, sample_reader(manifest, workers, max_pixels=settings.images.max_pixels))
        changed = changed_rows(decoder, range(summary.n_samples), read_pixel_digests(path).tolist())
    if changed:
        raise FingerprintError(
            f"{path}: {len(changed)} of its {summary.n_samples} samples have other pixels in {manifest.root} than when "
            f"they were extracted: {first_ten(manifest.table['sample_id'].iloc[changed])}; extract them again into "
            f"another --output, or restore the images"
        )


def check_sample(
    path: Location,
    manifest: Manifest,
    n_samples: int,
    *,
    observer: Observer | None = None,
    weights: Weights | None = None,
) -> SampleCheck:
    """Extract a random sample of the rows again by the file's own recipe, and compare.

    Parameters
    ----------
    path
        The feature file.
    manifest
        Its samples; see `recorded_manifest`.
    n_samples
        Number of samples to draw; at most all that could be read.
    observer
        Receives messages and progress.
    weights
        Where the weights are now, of several networks by their names; None: where they were.

    Raises
    ------
    FingerprintError
        If the recipe cannot be repeated, because weights or preprocessing differ.
    FeatureFileError
        If an embedding differs by more than rounding explains, or no sample of the file could be read.
    """
    summary = read_summary(path)
    rows = _draw(summary, n_samples)
    drawn = manifest.take(rows)
    drawn = replace(drawn, table=drawn.table.reset_index(drop=True))
    again = _extract_again(summary, drawn, observer, weights)
    before = read_embeddings(path, rows)
    differences = _lengths(again - before) / np.maximum(_lengths(before), np.finfo(np.float32).tiny)
    check = SampleCheck(drawn.table["sample_id"].tolist(), differences, allowed_difference(summary.recipe))
    # Not `differences > allowed`, which NaN would pass.
    if not (differences <= check.allowed).all():
        raise FeatureFileError(
            f"{path}: its embeddings are not those that its recipe makes of these images. {check}; extract again into "
            f"another --output"
        )
    return check


def _draw(summary: Summary, n_samples: int) -> np.ndarray:
    """Draw rows of samples that could be read, in ascending order."""
    readable = np.flatnonzero(read_pixel_digests(summary.path) != "")
    if not len(readable):
        raise FeatureFileError(f"{summary.path}: none of its samples could be read, so none can be extracted again")
    # Sorted, because h5py takes indices in ascending order only; unseeded, so that each check draws other rows.
    return np.sort(np.random.default_rng().choice(readable, min(n_samples, len(readable)), replace=False))


def _current_settings(summary: Summary, images: Location | None) -> Settings:
    """Read the settings of a file. Labels that were added or removed since do not matter to its pixels."""
    if is_imported(summary.recipe):
        raise FeatureFileError(
            f"{summary.path}: was imported from a table, so there are no images to compare with; verify it without "
            "--images and --sample"
        )
    try:
        # A deep copy: the caller's record must not change.
        record = json.loads(json.dumps(summary.provenance["settings"]))
        record["labels"]["unmatched"] = "ignore"
        if images is not None:
            record["images"]["fields"] = fields_beside(record["images"], images, are_moved=True)
            record["images"]["root"] = str(images)
        return Settings.model_validate(record)
    except (KeyError, TypeError, ValueError) as error:
        raise FeatureFileError(
            f"{summary.path}: its provenance does not say where its images are ({first_line(error)}); verify it "
            f"without --images and --sample, or extract again"
        ) from None


def _extract_again(summary: Summary, drawn: Manifest, observer: Observer | None, weights: Weights | None) -> np.ndarray:
    with TemporaryDirectory(prefix="cellfeat-") as folder:
        settings = settings_like(
            summary.provenance["settings"],
            summary.recipe,
            images=drawn.root,
            output=Path(folder) / "again.h5",
            weights=weights,
        )
        extraction = extract(settings, observer=observer, manifest=drawn, expected_recipe=summary.recipe)
        return load_features(extraction.path).embeddings


def _lengths(embeddings: np.ndarray) -> np.ndarray:
    """Length of each sample's embeddings, all views as one vector."""
    return np.linalg.norm(embeddings.reshape(len(embeddings), -1).astype(np.float64), axis=1)
