"""Whether files state other names of channels or sizes of a pixel than those of other samples, or a turned picture."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cellfeat.samples.reading.images import SampleImage
from cellfeat.text import first_ten

_ALIKE = 1.01
"""Sizes of a pixel whose ratio is less are one: programs round them."""


@dataclass
class FileDifferences:
    """Collects what the files of samples state.

    Attributes
    ----------
    names
        How many samples have these names of planes, in their order.
    sizes
        How many samples have this size of a pixel, in micrometres.
    orientations
        How many samples have this orientation, as Exif numbers it; 1 is that of a picture that is not turned.
    """

    names: Counter[tuple[str, ...]] = field(default_factory=Counter)
    sizes: Counter[float] = field(default_factory=Counter)
    orientations: Counter[int] = field(default_factory=Counter)

    def passing(self, samples: Iterable[SampleImage]) -> Iterator[SampleImage]:
        """Collect of samples, and hand them on."""
        for sample in samples:
            if any(sample.plane_names):
                self.names[sample.plane_names] += 1
            if sample.pixel_size is not None:
                self.sizes[sample.pixel_size] += 1
            self.orientations[sample.orientation] += 1
            yield sample

    def remarks(self, channels: Sequence[str | int], resolution: float | None) -> list[str]:
        """Say what differs, and what to do.

        Parameters
        ----------
        channels
            As in ``images.channels``: names are looked for in each file, numbers are not.
        resolution
            Micrometres per pixel that all samples are brought to; None where they are read as they are.
        """
        remarks = []
        by_number = len(channels) > 1 and all(isinstance(channel, int) for channel in channels)
        if by_number and len(self.names) > 1:
            told = " and ".join(f"[{first_ten(names)}] ({count})" for names, count in self.names.most_common(2))
            remarks.append(
                f"warning: files name their channels in {len(self.names)} ways: {told} of the samples that were "
                "examined; "
                "images.channels takes them by number, so one number is not one stain: name them, such as "
                f"--set 'images.channels=[{', '.join(self.names.most_common(1)[0][0])}]'"
            )
        sizes = sorted(self.sizes)
        if resolution is None and len(sizes) > 1 and sizes[-1] > _ALIKE * sizes[0]:
            told = first_ten(f"{size:g} ({self.sizes[size]})" for size in sizes)
            remarks.append(
                f"warning: files state several sizes of a pixel in micrometres: {told} of the samples that were "
                "examined; "
                "cells differ in size for that alone, which tells the class where it goes with one: scale the "
                "images to "
                "one size"
            )
        n_turned = self.orientations.total() - self.orientations[1]
        if n_turned:
            told = first_ten(
                f"{value} ({self.orientations[value]})" for value in sorted(self.orientations) if value > 1
            )
            remarks.append(
                f"warning: {n_turned} of {self.orientations.total()} samples that were examined state an orientation "
                f"(Exif, TIFF): {told}; pixels are read as they are stored and not turned, which tells the class where "
                "it goes with one: turn the files where it matters (ImageMagick: mogrify -auto-orient, on copies)"
            )
        return remarks
