"""The context of a run: its request, and the device, networks and decoder that the settings name."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.side_by_side import load_networks, parse_members
from cellfeat.backbones.trained_on import contamination_note
from cellfeat.backbones.transform import Transform
from cellfeat.config import PreprocessingSettings
from cellfeat.device import choose_device, describe_device
from cellfeat.extraction.forward.embedder import Inputs
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.read_ahead import Decoded, Decoder
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.extraction.timing import Timeline
from cellfeat.processors import usable_processors
from cellfeat.provenance import utc_now
from cellfeat.samples.intensity.advice import GIVEN, intensity_advice, spread_blocks, spread_rows
from cellfeat.samples.intensity.float_scales import WAY_OUT, FloatScales
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.cell_places import misplaced_cells
from cellfeat.samples.reading.file_differences import FileDifferences
from cellfeat.samples.reading.images import ReadsSamples, SampleImage
from cellfeat.samples.reading.in_order import read_in_order
from cellfeat.samples.sheets.windows import ChannelValues


@dataclass(frozen=True)
class RunContext:
    """Everything that a run needs: request, samples, device, networks and decoder.

    Attributes
    ----------
    request
        The request; `request.manifest` is all samples of the feature file.
    manifest
        The samples that the run extracts itself: all of them, or in an update those that the file lacks.
    device
        Where the networks run.
    networks
        The frozen networks, as they were loaded: one, or several side by side.
    inputs
        The pictures of a sample that the networks receive.
    decoder
        Reads the samples of `manifest`.
    started
        When the run started, in UTC.
    values
        Values of some samples of the request, from which the windows of thumbnails are measured.
    differences
        What the files of the same samples state, such as the size of a pixel.
    """

    request: ExtractionRequest
    manifest: Manifest
    device: torch.device
    networks: tuple[LoadedBackbone, ...]
    inputs: Inputs
    decoder: Decoder
    started: str
    values: ChannelValues
    differences: FileDifferences

    @classmethod
    def from_request(cls, request: ExtractionRequest) -> Self:
        """Choose the device, resolve the intensity policy and load the networks that the settings name."""
        started, timeline = utc_now(), Timeline(keeps_events=request.settings.extraction.trace is not None)
        settings = request.settings
        device = choose_device(settings.extraction.device)
        request.observer.say(f"device: {describe_device(device)}")
        # Before the networks are loaded: channels that do not fit are found at once.
        passes = make_passes(request.manifest.channels, settings.preprocessing.channels_as)
        reader = request.reader()
        values, differences = ChannelValues(), FileDifferences()
        policy = intensity_policy(request, reader, values, differences)
        misplaced = misplaced_cells(request.manifest, max_pixels=settings.images.max_pixels)
        if misplaced:
            request.observer.say(misplaced)
        networks = _load_networks(request)
        transforms = tuple(_adapted(one, settings.preprocessing) for one in networks)
        inputs = Inputs(transforms, tuple(passes), len(request.manifest.channels), settings.extraction.views)
        decoder = Decoder(reader, policy, timeline)
        return cls(request, request.manifest, device, networks, inputs, decoder, started, values, differences)

    def restricted_to(self, rows: np.ndarray) -> Self:
        """Make the context of a run that extracts only some samples.

        Parameters
        ----------
        rows
            Their rows, shape ``(n,)``. The index of the manifest's table keeps these row numbers.
        """
        # The table keeps its index, from which messages take the row in the whole manifest.
        manifest = self.manifest.take(rows)
        decoder = replace(self.decoder, reader=self.request.reader(manifest))
        return replace(self, manifest=manifest, decoder=decoder)

    def showing_samples(self, on_sample: Callable[[Decoded], None]) -> Self:
        """Make the context of a run that hands each sample that it reads to `on_sample`, in threads."""
        return replace(self, decoder=replace(self.decoder, on_sample=on_sample))

    @property
    def timeline(self) -> Timeline:
        """The record of where the run's time goes."""
        return self.decoder.timeline

    @property
    def pixel_sizes(self) -> list[tuple[float, int]]:
        """Sizes of a pixel in micrometres, and how many of the samples that were examined state each.

        None where all samples are brought to one resolution, which is part of the recipe.
        """
        resolution = self.request.settings.images.fields.resolution
        return sorted(self.differences.sizes.items()) if resolution is None else []

    @property
    def untimed_decoder(self) -> Decoder:
        """The decoder for reading that is not part of the extraction's own decoding."""
        return replace(self.decoder, timeline=Timeline())

    @property
    def n_workers(self) -> int:
        """Number of processes that read images; 0 if this process reads them."""
        wanted = self.request.settings.extraction.workers
        if wanted != "auto":
            return wanted
        # On the cpu the forward needs every core, and two processes keep up with the smallest network.
        return min(2 if self.device.type == "cpu" else 8, usable_processors())


def _adapted(network: LoadedBackbone, settings: PreprocessingSettings) -> Transform:
    # The size was settled when the network was loaded: it may be one of its own.
    return network.transform.adapted(settings.model_copy(update={"input_size": network.transform.input_size}))


def _load_networks(request: ExtractionRequest) -> tuple[LoadedBackbone, ...]:
    settings = request.settings
    entries = dict.fromkeys(member.entry for member in parse_members(settings.backbone.name))
    for entry in entries:
        if entry.seen_cells is not None:
            request.observer.say(contamination_note(entry.name, entry.seen_cells))
    return load_networks(
        settings.backbone.name,
        weights=settings.backbone.weights,
        pool=settings.backbone.pool,
        input_size=settings.preprocessing.input_size,
    )


def intensity_policy(
    request: ExtractionRequest, reader: ReadsSamples, values: ChannelValues, differences: FileDifferences
) -> IntensityPolicy:
    """Make the intensity policy, and warn if it does not fit the images.

    Parameters
    ----------
    request, reader
        What to extract, and what reads its samples.
    values, differences
        Collect values of the samples that are examined, and what their files state.
    """
    channels, rows = request.manifest.channels, range(len(request.manifest))
    policy = IntensityPolicy.from_settings(request.settings.images.intensity, n_channels=len(channels))
    policy = policy.resolved(reader, rows)
    scales = FloatScales()
    examined = differences.passing(
        scales.passing(_readable(reader, spread_blocks(spread_rows(len(rows)), reader.block)))
    )
    # A setting is no way out where the recipe is given, as by a saved head.
    is_free = request.expected_recipe is None
    advice = intensity_advice(policy, values.passing(examined), channels=channels, names_setting=is_free)
    if advice:
        request.observer.say(f"warning: {advice}")
    mixed = scales.remark()
    if mixed and not policy.scales_each_image:
        request.observer.say(f"warning: {mixed}: {WAY_OUT if is_free else GIVEN}")
    for line in differences.remarks(channels, request.settings.images.fields.resolution):
        request.observer.say(line)
    return policy


def _readable(reader: ReadsSamples, rows: Iterable[int]) -> Iterator[SampleImage]:
    """Read samples without those that cannot be read: the extraction handles failures as its settings say."""
    return (outcome for outcome in read_in_order(reader, rows) if isinstance(outcome, SampleImage))
