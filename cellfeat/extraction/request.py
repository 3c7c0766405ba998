"""The request and the result of an extraction. Nothing here needs torch, which takes seconds to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellfeat.backbones.side_by_side import Weights
from cellfeat.config import Settings
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.store import FLOAT32, SampleTable
from cellfeat.provenance import digest_file
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.images import ReadsSamples
from cellfeat.samples.reading.worker_pool import Workers, sample_reader
from cellfeat.storage.url import Location


@dataclass(frozen=True)
class ExtractionRequest:
    """The request for one extraction.

    Attributes
    ----------
    settings
        The resolved settings.
    manifest
        All samples that the feature file shall hold.
    record
        The settings and samples that the embeddings depend on, as JSON values. A finished file of an equal record is
        accepted without loading a backbone.
    workers
        Processes that read the images; None: this process reads them.
    observer
        Receives messages and progress.
    expected_recipe
        The only recipe that is accepted; None: any.
    """

    settings: Settings
    manifest: Manifest
    record: Mapping[str, Any]
    workers: Workers | None
    observer: Observer
    expected_recipe: Mapping[str, Any] | None = None

    @property
    def output(self) -> Location:
        """The feature file to write."""
        return self.settings.extraction.output

    @property
    def precision(self) -> str:
        """The precision that is asked for; that of the expected recipe if the settings leave it open."""
        wanted: str = self.settings.extraction.precision
        if wanted == "auto" and self.expected_recipe is not None:
            return str(self.expected_recipe["precision"])
        return wanted

    def reader(self, manifest: Manifest | None = None) -> ReadsSamples:
        """Make the reader of all samples, or of those in `manifest`."""
        samples = self.manifest if manifest is None else manifest
        return sample_reader(samples, self.workers, max_pixels=self.settings.images.max_pixels)

    def sample_table(self) -> SampleTable:
        """Make the table of samples that a feature file keeps."""
        table = self.manifest.table
        return SampleTable(
            sample_id=table["sample_id"].tolist(),
            label=table["label"].tolist(),
            group=table["group"].tolist(),
            columns={name: table[name].tolist() for name in self.manifest.columns},
            regions=self.manifest.regions,
        )


@dataclass(frozen=True)
class Extraction:
    """The result of an extraction.

    Attributes
    ----------
    path
        The feature file.
    n_samples, n_failed, n_extracted
        Number of samples in the file, of those that could not be read, and of those that this run extracted.
    seconds
        Duration of this run.
    """

    path: Location
    n_samples: int
    n_failed: int
    n_extracted: int
    seconds: float


def request_record(settings: Settings, manifest: Manifest) -> dict[str, Any]:
    """Collect what the embeddings depend on, as JSON values.

    Parameters
    ----------
    settings, manifest
        The settings and the samples of an extraction.
    """
    record = settings.record()
    weights, digests = _weights(settings.backbone.weights)
    request = {
        "intensity": record["images"]["intensity"],
        "max_pixels": settings.images.max_pixels,
        "preprocessing": record["preprocessing"],
        "backbone": record["backbone"] | {"weights": weights},
        "weights_file": digests,
        "views": settings.extraction.views,
        "precision": settings.extraction.precision,
        "samples": manifest.digest(),
        **manifest.plane.record(),
    }
    if settings.extraction.storage != FLOAT32:
        request["storage"] = settings.extraction.storage
    if manifest.crops is not None:
        request["fields"] = manifest.crops.rules.record()
    return request


def _weights(weights: Weights) -> tuple[Weights, Any]:
    """Names of weights, and digests of those that are files; of several networks, by the names of these.

    The digest identifies a file, wherever it lies, so that its name is enough.
    """
    if isinstance(weights, str):
        return _name_and_digest(weights)
    found = {network: _name_and_digest(one) for network, one in weights.items()}
    return {network: one[0] for network, one in found.items()}, {network: one[1] for network, one in found.items()}


def _name_and_digest(weights: str) -> tuple[str, str | None]:
    path = Path(weights)
    return (path.name, digest_file(path)) if path.is_file() else (weights, None)
