"""From settings to what an extraction is made of: the device, the backbone, what it sees, and how images are read."""

import json
from dataclasses import dataclass
from typing import Any

import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.pooling import StagePooled
from cellfeat.backbones.registry import load_backbone
from cellfeat.extraction.device import choose_device, describe_device
from cellfeat.extraction.embedder import Inputs
from cellfeat.extraction.job import Job
from cellfeat.extraction.passes import make_passes
from cellfeat.extraction.pipeline import Decoder
from cellfeat.extraction.timing import Timeline
from cellfeat.samples.images import ReadsSamples, SampleReader
from cellfeat.samples.intensity import IntensityPolicy, intensity_advice
from cellfeat.samples.workers import WorkersReader


@dataclass(frozen=True)
class Resolved:
    """What an extraction is made of, once its settings are resolved.

    Attributes
    ----------
    device
        Where the backbone runs.
    backbone
        The frozen network, as it was loaded.
    inputs
        What it sees of a sample.
    decoder
        Reads the samples.
    """

    device: torch.device
    backbone: LoadedBackbone
    inputs: Inputs
    decoder: Decoder


def resolve(job: Job, timeline: Timeline) -> Resolved:
    """Find what the settings name: the device, the intensity policy's limits, the backbone with its weights."""
    settings, manifest = job.settings, job.manifest
    device = choose_device(settings.extraction.device)
    job.observer.say(f"device: {describe_device(device)}")
    passes = make_passes(manifest.channels, settings.preprocessing.channels_as)
    reader = WorkersReader(SampleReader.for_manifest(manifest, max_pixels=settings.images.max_pixels), job.workers)
    policy = _intensity_policy(job, reader)
    backbone = load_backbone(
        settings.backbone.name,
        weights=settings.backbone.weights,
        pool=settings.backbone.pool,
        input_size=settings.preprocessing.input_size,
    )
    transform = backbone.transform.adapted(settings.preprocessing)
    inputs = Inputs(transform, tuple(passes), len(manifest.channels), settings.extraction.views)
    return Resolved(device, backbone, inputs, Decoder(reader, policy, timeline))


def _intensity_policy(job: Job, reader: ReadsSamples) -> IntensityPolicy:
    settings = job.settings.images
    policy = IntensityPolicy.from_settings(settings.intensity, n_channels=len(job.manifest.channels))
    policy = policy.resolved(reader, range(len(job.manifest)))
    first = (Decoder(reader, policy)(row) for row in range(len(job.manifest)))
    readable = (sample.pixels for sample in first if sample.pixels is not None)
    advice = intensity_advice(policy, readable, channels=job.manifest.channels)
    if advice:
        job.observer.say(f"warning: {advice}")
    return policy


def make_recipe(job: Job, resolved: Resolved, precision: str) -> dict[str, Any]:
    """Everything that can change an embedding, as plain JSON values."""
    settings, backbone = job.settings, resolved.backbone
    recipe = {
        "backbone": {
            "name": backbone.name,
            # The digest alone: the same weights under another file name make the same embeddings.
            "weights_digest": backbone.weights_digest,
            "pool": settings.backbone.pool,
            **_stages(backbone),
        },
        "transform": resolved.inputs.transform.record(),
        "channels": list(job.manifest.channels),
        "channels_as": settings.preprocessing.channels_as,
        "passes": [one.name for one in resolved.inputs.passes],
        "intensity": resolved.decoder.policy.record(),
        "views": settings.extraction.views,
        "precision": precision,
    }
    # As it will be read back: tuples become lists before anything is compared.
    return dict(json.loads(json.dumps(recipe)))


def _stages(backbone: LoadedBackbone) -> dict[str, list[str]]:
    """The stages that are pooled; nothing where none are, so that the recipes of earlier files stay what they were."""
    return {"stages": list(backbone.module.stages)} if isinstance(backbone.module, StagePooled) else {}
