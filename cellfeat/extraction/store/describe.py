"""Describe a feature file in lines."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.backbones.side_by_side import training_images, weights_text
from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store.features import PIXEL_SIZES
from cellfeat.extraction.store.imported import is_imported
from cellfeat.extraction.store.reading import Summary, read_intensities, read_properties, read_table
from cellfeat.extraction.store.recorded_networks import recorded_networks
from cellfeat.extraction.store.sample_table import SampleTable
from cellfeat.extraction.store.samples import Intensities, Properties
from cellfeat.extraction.store.stored_type import stored_type
from cellfeat.samples.regions import Regions
from cellfeat.text import clean_text, first_ten, shorten
from cellfeat.types import Integers, Strings

SHOWN_KINDS = 3
"""Kinds of files that are shown one by one."""

DIFFERENT_BITS = 3
"""Bits by which the highest values must differ to be told: an eighth as bright, or a camera of other bits."""

_KIND = ("dtype", "bits_stated", "height", "width", "file_format")


def describe_summary(summary: Summary) -> str:
    """Describe in lines what a feature file holds.

    Raises
    ------
    FeatureFileError
        If its recipe or provenance lacks what every extraction writes.
    """
    properties, table = read_properties(summary.path), read_table(summary.path)
    if is_imported(summary.recipe):
        return _lines(summary, _describe_imported(summary, table))
    intensities = read_intensities(summary.path)
    try:
        return _describe(summary, properties, table, intensities.take(np.flatnonzero(properties.height > 0)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FeatureFileError(
            f"{summary.path}: its recipe or provenance is not as cellfeat writes it ({error}); extract again into "
            f"another --output"
        ) from None


def _describe(summary: Summary, properties: Properties, table: SampleTable, intensities: Intensities) -> str:
    recipe, provenance = summary.recipe, summary.provenance
    backbone, transform, weights = recipe["backbone"], recipe["transform"], provenance["weights"]
    seconds = provenance["times"]["seconds"]["wall"]
    views = "1 view" if summary.n_views == 1 else f"{summary.n_views} views"
    rows = {
        "samples": f"{summary.n_samples:,}, of which {summary.n_failed} failed",
        "classes": _describe_classes(table.label),
        "groups": _describe_groups(table.group),
        **_describe_geometry(table.regions),
        **_describe_columns(table.columns),
        **describe_properties(properties),
        **_describe_pixel_sizes(provenance),
        "embeddings": f"{views} x {summary.embedding_dim} numbers, {stored_type(recipe)}",
        "backbone": f"{backbone['name']}, weights {weights_text(weights)}{_describe_pool(backbone)}",
        **_describe_networks(recipe),
        "trained on": training_images(backbone["name"], weights),
        "channels": f"{', '.join(clean_text(str(name)) for name in recipe['channels'])} as {recipe['channels_as']}",
        **_describe_plane(recipe),
        "transform": _listed(transform),
        "intensity": describe_intensity(recipe["intensity"]),
        "brightness": _describe_brightness(intensities, recipe["channels"]),
        "precision": f"{recipe['precision']} ({provenance['execution']['implementation']})",
        "made": f"{provenance['times']['finished']} on {provenance['device']}, {seconds:.1f} s",
        **_describe_carried(summary),
        "versions": ", ".join(f"{name} {version}" for name, version in provenance["versions"].items()),
        "fingerprint": summary.fingerprint,
    }
    return _lines(summary, rows)


def _describe_pool(backbone: Mapping[str, Any]) -> str:
    return f", pool {backbone['pool']}" if "pool" in backbone else ""


def _describe_networks(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Say how many columns of a pass each of several networks has, and what is its own of pool and transform."""
    members = recipe["backbone"].get("members", ())
    own = [_describe_pool(member).removeprefix(", ") for member in members]
    own = [
        ", ".join(filter(None, [text, _listed(member.get("transform", {}))]))
        for text, member in zip(own, members, strict=True)
    ]
    labels = recorded_networks(recipe) if members else []
    told = [
        f"{one.embedding_dim} of {one.label}{f' ({text})' if text else ''}"
        for one, text in zip(labels, own, strict=True)
    ]
    return {"columns of": f"each pass: {', then '.join(told)}"} if told else {}


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _lines(summary: Summary, rows: Mapping[str, str]) -> str:
    return "\n".join([str(summary.path), *(f"  {name:<12} {value}" for name, value in rows.items())])


def _describe_imported(summary: Summary, table: SampleTable) -> dict[str, str]:
    """Describe numbers that were imported from a table or an array."""
    notes = summary.provenance.get("imported", {})
    names = [shorten(str(name)) for name in notes.get("columns", [])]
    return {
        "samples": f"{summary.n_samples:,}, of which {summary.n_failed} failed",
        "classes": _describe_classes(table.label),
        "groups": _describe_groups(table.group),
        **_describe_columns(table.columns),
        "features": f"{summary.embedding_dim:,}: {first_ten(names)}",
        "imported": f"from {notes.get('file', 'memory')} ({notes.get('read', 'arrays')})",
        "scaling": f"{summary.recipe.get('scaling', 'none')}, inside the training part of each fold",
        "fingerprint": summary.fingerprint,
    }


def _describe_pixel_sizes(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Give the sizes that files state: ``0.325 micrometres``, or with the number of examined samples of each."""
    stated = provenance.get(PIXEL_SIZES, [])
    told = first_ten(f"{size:g} ({n})" if len(stated) > 1 else f"{size:g}" for size, n in stated)
    return {"pixel size": f"{told} micrometres"} if stated else {}


def _describe_plane(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Say which plane of stacks was read, where one was chosen: ``z max, t 0``."""
    chosen = recipe.get("plane", {})
    return {"plane": ", ".join(clean_text(f"{name} {value}") for name, value in chosen.items())} if chosen else {}


def _describe_classes(labels: Sequence[str]) -> str:
    """Count the samples of each class, the largest class first: ``2 (HeLa 60, A549 40); 3 samples without``."""
    counts = Counter(labels)
    n_unlabelled = counts.pop("", 0)
    if not counts:
        return "none: no sample has a label"
    by_size = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    classes = first_ten(f"{shorten(name)} {n:,}" for name, n in by_size)
    return f"{len(counts)} ({classes}){_without(n_unlabelled)}"


def _describe_groups(groups: Sequence[str]) -> str:
    counts = Counter(groups)
    n_ungrouped = counts.pop("", 0)
    if not counts:
        return "none given"
    largest, n = max(counts.items(), key=lambda item: item[1])
    return f"{len(counts):,}, the largest {shorten(largest)} with {n:,} samples{_without(n_ungrouped)}"


def _describe_geometry(regions: Regions | None) -> dict[str, str]:
    """Count the fields that samples were cut out of: ``25, of 8 to 31 samples each; boxes 64 x 64``."""
    if regions is None:
        return {}
    counts = np.unique(regions.field, return_counts=True)[1]
    low, high = int(counts.min()), int(counts.max())
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return {"fields": f"{len(counts):,}, of {each} samples each; boxes {_describe_sizes(*regions.box[:, 2:].T)}"}


def _without(n: int) -> str:
    return f"; {n:,} samples without" if n else ""


def _describe_columns(columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Name further columns of the labels table, with their numbers of values."""
    if not columns:
        return {}
    return {"columns": first_ten(f"{shorten(name)} ({len(set(values)):,} values)" for name, values in columns.items())}


def describe_properties(properties: Properties) -> dict[str, str]:
    """Describe what the files are: each kind where there are few, otherwise each property by itself."""
    records = properties.records
    records = records[records["height"] > 0]  # failed samples have none
    if not len(records):
        return {"files": "none could be read"}
    kinds = list(islice(_kinds_of_files(records), SHOWN_KINDS + 1))
    files = {"files": "; ".join(kinds)} if len(kinds) <= SHOWN_KINDS else _describe_each_property(records)
    used = ", ".join(_bits_used(records))
    return files | ({"bits used": used} if used else {})


def _kinds_of_files(records: NDArray[np.void]) -> Iterator[str]:
    """Count the files of each kind, for example ``6,773 uint8, 64 x 64, png``."""
    while len(records):
        dtype, bits, _, height, width, file_format = records[0].item()
        is_same = np.logical_and.reduce([records[name] == records[name][0] for name in _KIND])
        # The type's name without its letters is its number of bits: they are shown only where the header states others.
        stated = f" ({bits.decode()} bits)" if bits.decode() != dtype.decode().lstrip("uintfloa") else ""
        n = np.count_nonzero(is_same)
        yield f"{n:,} {dtype.decode()}{stated}, {height} x {width}, {file_format.decode()}"
        records = records[~is_same]


def _describe_each_property(records: NDArray[np.void]) -> dict[str, str]:
    return {
        "types": _counted(records["dtype"]),
        "bits stated": _counted(records["bits_stated"]),
        "sizes": _describe_sizes(records["height"], records["width"]),
        "formats": _counted(records["file_format"]),
    }


def _describe_sizes(height: Integers, width: Integers) -> str:
    sizes = set(zip(height.tolist(), width.tolist(), strict=True))
    if len(sizes) == 1:
        return f"{height[0]} x {width[0]}"
    return f"{len(sizes):,} different: {height.min()} to {height.max()} high, {width.min()} to {width.max()} wide"


def _counted(values: NDArray[np.bytes_]) -> str:
    counts = Counter(value.decode() for value in values.tolist())
    return first_ten(f"{n:,} {value}" for value, n in counts.most_common())


def _bits_used(records: NDArray[np.void]) -> Iterator[str]:
    """Give the bits that the largest values need, of each type of integers: ``uint16 9 to 12``."""
    for dtype in np.unique(records["dtype"]):
        if dtype.startswith(b"float"):
            continue
        bits = records["bits_used"][records["dtype"] == dtype]
        low, high = int(bits.min()), int(bits.max())
        yield f"{dtype.decode()} {low if low == high else f'{low} to {high}'}"


def describe_mixture(properties: Properties) -> str | None:
    """Say in one line how the files of the samples differ: in type, bits, format and size; None where they do not."""
    is_read = properties.height > 0
    kinds, formats = (_counts(values[is_read]) for values in (properties.kind, properties.file_format))
    bits = properties.bits_of_wide_integers
    least, most = (int(edge(bits[bits > 0], initial=start)) for edge, start in ((np.min, 255), (np.max, 0)))
    sizes = sorted(set(zip(properties.height[is_read].tolist(), properties.width[is_read].tolist(), strict=True)))
    parts = [", ".join(counts) for counts in (kinds, formats) if len(counts) > 1]
    if most - least >= DIFFERENT_BITS:
        parts.append(f"{least} to {most} bits used")
    if len(sizes) > 1:
        parts.append(_size_phrase(*(sorted(side) for side in zip(*sizes, strict=True))))
    return f"the samples differ in their files: {'; '.join(parts)}" if parts else None


def describe_constant_channels(
    properties: Properties, intensities: Intensities, channels: Sequence[str | int]
) -> str | None:
    """Say in one line in how many samples a channel is constant, so that it tells nothing; None where none is.

    Parameters
    ----------
    properties, intensities
        What the files are, and the intensities as the network receives them.
    channels
        The names of the channels.
    """
    is_read = properties.height > 0
    n_constant = np.count_nonzero(intensities.deviation[is_read] == 0, axis=0)
    n_read = int(np.count_nonzero(is_read))
    told = [
        f"{clean_text(str(name))} in {n if n < n_read else 'all'} of {n_read:,} samples"
        for name, n in zip(channels, n_constant.tolist(), strict=True)
        if n
    ]
    return f"warning: all pixels of a channel have one value: {', '.join(told)}" if told else None


def _size_phrase(heights: Sequence[int], widths: Sequence[int]) -> str:
    return f"{heights[0]} to {heights[-1]} pixels high, {widths[0]} to {widths[-1]} wide"


def _counts(values: Strings) -> list[str]:
    """Count equal values, the most frequent first, for example ``25 uint8``."""
    return [f"{n:,} {value}" for value, n in Counter(values.tolist()).most_common()]


def _describe_carried(summary: Summary) -> dict[str, str]:
    """Count the rows that earlier runs extracted."""
    runs = summary.provenance.get("runs")
    if not runs:
        return {}
    n_carried = sum(stop - start for start, stop, run in summary.provenance["rows_from"] if run < len(runs) - 1)
    return {"carried over": f"{n_carried:,} rows of {len(runs) - 1} earlier runs, since {runs[0]['finished']}"}


def _describe_brightness(intensities: Intensities, channels: Sequence[str | int]) -> str:
    """The median over the samples of each channel's mean intensity, from 0 (black) to 1 (white)."""
    if not len(intensities):
        return "no sample could be read"
    medians = np.median(intensities.mean, axis=0)
    names = [clean_text(str(channel)) for channel in channels]
    return ", ".join(f"{name} {median:.2g}" for name, median in zip(names, medians, strict=True))


def describe_intensity(intensity: Mapping[str, Any]) -> str:
    """Say which values of an image become black and white, from the recipe."""
    if intensity["range"]:
        return f"range {_range_text(intensity['range'])}"
    if intensity["percentile"]:
        return f"percentiles {intensity['percentile']} of each image"
    return "range of the bits that each file states" if "white" in intensity else "range of the type"


def _range_text(given: Any) -> str:
    """One range, or that of each channel; once where all are equal."""
    try:
        ranges = given if isinstance(given[0], Sequence) else [given]
        texts = [" to ".join(f"{value:g}" for value in one) for one in ranges]
    except (TypeError, ValueError, LookupError):  # a record that cellfeat has not written
        return str(given)
    return texts[0] if len(set(texts)) == 1 else f"of each channel: {', '.join(texts)}"
