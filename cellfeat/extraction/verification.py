"""Whether a feature file still says the truth: its images' pixels, and some of its rows extracted again."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cellfeat.config import Settings
from cellfeat.errors import FeatureFileError, FingerprintError
from cellfeat.extraction.extract import extract, settings_like
from cellfeat.extraction.job import Observer
from cellfeat.extraction.store import (
    Summary,
    load_features,
    read_embeddings,
    read_pixel_digests,
    read_summary,
    read_table,
)
from cellfeat.extraction.survey import changed_rows, decoder_as_before
from cellfeat.extraction.tolerances import largest_difference
from cellfeat.samples.manifest import Manifest, build_manifest
from cellfeat.samples.workers import Workers
from cellfeat.text import first_line, first_ten


@dataclass(frozen=True)
class SampleCheck:
    """Rows that were extracted again.

    Attributes
    ----------
    sample_ids
        The samples, drawn at random from those that could be read.
    differences
        ``(n,)``: length of the difference between the two embeddings, in shares of the first one's length.
    allowed
        The largest difference that rounding explains.
    """

    sample_ids: list[str]
    differences: np.ndarray
    allowed: float

    def __str__(self) -> str:
        worst = int(self.differences.argmax())
        return (
            f"{len(self.sample_ids)} samples extracted again: the largest difference is {self.differences[worst]:.1e} "
            f"of an embedding's length (sample {self.sample_ids[worst]}; rounding may make {self.allowed:.0e})"
        )


def recorded_manifest(path: Path, images: Path | None = None) -> Manifest:
    """Find the samples of a feature file again, in the order of its rows, as its settings described them.

    Parameters
    ----------
    path
        The feature file.
    images
        Folder of the images now; None: where they were.

    Raises
    ------
    ManifestError, MissingFileError
        If images or labels are not there.
    FingerprintError
        If samples of the file are not among those found.
    """
    settings = _settings_now(read_summary(path), images)
    found = build_manifest(settings.images, settings.labels)
    row_of = {sample_id: row for row, sample_id in enumerate(found.table["sample_id"])}
    ids = read_table(path).sample_id
    lost = [sample_id for sample_id in ids if sample_id not in row_of]
    if lost:
        raise FingerprintError(
            f"{path}: {len(lost)} of its {len(ids)} samples have no image in {settings.images.root}: "
            f"{first_ten(lost)}; say where the images are now with --root DIR"
        )
    return replace(found, table=found.table.iloc[[row_of[i] for i in ids]].reset_index(drop=True))


def check_pixels(path: Path, manifest: Manifest) -> None:
    """Read every image again and compare its pixels with those that the file was made from.

    Raises
    ------
    FingerprintError
        If samples have other pixels now, or can be read now and could not then, or the other way round.
    """
    summary = read_summary(path)
    settings = _settings_now(summary, None)
    with Workers(settings.extraction.image_timeout) as workers:
        decoder = decoder_as_before(summary, manifest, workers, max_pixels=settings.images.max_pixels)
        changed = changed_rows(decoder, range(summary.n_samples), read_pixel_digests(path).tolist())
    if changed:
        raise FingerprintError(
            f"{path}: {len(changed)} of its {summary.n_samples} samples have other pixels in {manifest.root} than when "
            f"they were extracted: {first_ten(manifest.table['sample_id'].iloc[changed])}; extract them anew into "
            f"another --output, or bring the images back"
        )


def check_sample(
    path: Path, manifest: Manifest, n_samples: int, *, observer: Observer | None = None, weights: str | None = None
) -> SampleCheck:
    """Extract a random sample of the rows again by the file's own recipe, and compare.

    Parameters
    ----------
    path
        The feature file.
    manifest
        Its samples; see `recorded_manifest`.
    n_samples
        How many to draw; all that could be read, where they are fewer.
    weights
        Where the backbone's weights are now; None: where they were.

    Raises
    ------
    FingerprintError
        If the recipe cannot be repeated: other weights, another preprocessing.
    FeatureFileError
        If an embedding differs by more than rounding explains, or no sample of the file could be read.
    """
    summary = read_summary(path)
    readable = np.flatnonzero(read_pixel_digests(path) != "")
    if not len(readable):
        raise FeatureFileError(f"{path}: not one of its samples could be read, so none can be extracted again")
    rows = np.sort(np.random.default_rng().choice(readable, min(n_samples, len(readable)), replace=False))
    drawn = replace(manifest, table=manifest.table.iloc[rows].reset_index(drop=True))
    again = _extracted_again(summary, drawn, observer, weights)
    before = read_embeddings(path, rows)
    differences = _lengths(again - before) / np.maximum(_lengths(before), np.finfo(np.float32).tiny)
    check = SampleCheck(drawn.table["sample_id"].tolist(), differences, largest_difference(summary.recipe["precision"]))
    if not (differences <= check.allowed).all():
        raise FeatureFileError(f"{path}: {check}; this file does not hold what its recipe makes of these images")
    return check


def _settings_now(summary: Summary, images: Path | None) -> Settings:
    """The settings that a file was made with; labels that were lost or added since are no concern of its pixels."""
    try:
        record = json.loads(json.dumps(summary.provenance["settings"]))
        record["labels"]["unmatched"] = "ignore"
        if images is not None:
            record["images"]["root"] = str(images)
        return Settings.model_validate(record)
    except (KeyError, TypeError, ValueError) as error:
        raise FeatureFileError(
            f"{summary.path}: its provenance holds no settings that tell where its images are ({first_line(error)}); "
            f"verify it without --images and --sample, or extract again"
        ) from None


def _extracted_again(summary: Summary, drawn: Manifest, observer: Observer | None, weights: str | None) -> np.ndarray:
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
