"""Facts about the data and the recipe, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cellfeat.backbones.side_by_side import training_images, weights_text
from cellfeat.extraction.store import (
    Features,
    Samples,
    describe_intensity,
    describe_properties,
    recorded_networks,
    stored_type,
)
from cellfeat.page.report.given_groups import GivenGroups
from cellfeat.storage.url import own_name
from cellfeat.text import clean_text, counted, first_ten, shorten, without_credentials

Fact = dict[str, str]


def data_facts(samples: Samples, features: Features | None, groups: GivenGroups) -> list[Fact]:
    """Say how many samples there are, of which classes and groups, what their files are, and where they come from.

    Parameters
    ----------
    samples
        The samples.
    features
        Their features; None for an audit before any extraction.
    groups
        The groups by which they were evaluated.
    """
    facts = {
        "samples": _samples_text(samples),
        "classes": _classes_text(samples),
        "groups": _groups_text(groups),
        **_fields_fact(samples),
        **({} if features is None or features.is_imported else _file_facts(samples)),
        **({} if features is None else _source_facts(features)),
    }
    return _listed(facts)


def recipe_facts(features: Features) -> list[Fact]:
    """Say in words how the embeddings were made.

    Parameters
    ----------
    features
        The features; a recipe that is not complete gives fewer facts.
    """
    recipe = features.recipe
    _, n_views, n_numbers = features.embeddings.shape
    facts = {"numbers": f"{counted(n_views, 'view')} x {counted(n_numbers, 'number')} a sample, {stored_type(recipe)}"}
    facts |= _imported_facts(features) if features.is_imported else _network_facts(features)
    return _listed(facts | {"fingerprint": features.fingerprint})


def channel_names(features: Features) -> list[str]:
    """Names of the channels of the images; empty for a table."""
    channels = features.recipe.get("channels")
    return [clean_text(str(name)) for name in channels] if isinstance(channels, Sequence) else []


def _listed(facts: Mapping[str, str]) -> list[Fact]:
    return [{"name": name, "value": value} for name, value in facts.items() if value]


def _samples_text(samples: Samples) -> str:
    n_failed, n_unlabelled = (int(np.count_nonzero(~mask)) for mask in (samples.is_ok, samples.is_labelled))
    text = f"{len(samples):,}"
    text += f", {n_unlabelled:,} without a label" if n_unlabelled else ""
    return text + (f", {n_failed:,} could not be read" if n_failed else "")


def _classes_text(samples: Samples) -> str:
    counts = Counter(samples.labels.tolist())
    counts.pop("", None)
    by_size = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return f"{len(counts)}: {first_ten(f'{shorten(name)} {n:,}' for name, n in by_size)}" if counts else "no labels"


def _groups_text(groups: GivenGroups) -> str:
    if groups.elsewhere:
        return groups.elsewhere
    counts = Counter(groups.group.tolist())
    n_without = counts.pop("", 0)
    if not counts:
        return "none given"
    largest, n = max(counts.items(), key=lambda item: item[1])
    without = f"; {n_without:,} samples without" if n_without else ""
    return f"{len(counts):,}, the largest {shorten(largest)} with {counted(n, 'sample')}{without}"


def _fields_fact(samples: Samples) -> dict[str, str]:
    if samples.regions is None:
        return {}
    n_fields = len(set(samples.regions.field.tolist()))
    return {"fields": f"samples are cut out of {counted(n_fields, 'field')}"}


def _file_facts(samples: Samples) -> dict[str, str]:
    if samples.properties is None or not len(samples.properties):
        return {}
    return {name: clean_text(text) for name, text in describe_properties(samples.properties).items()}


def _source_facts(features: Features) -> dict[str, str]:
    settings = features.recorded_settings
    facts = {"feature file": own_name(features.path)}
    if settings is not None and not features.is_imported:
        facts["images"] = clean_text(without_credentials(str(settings.images.root)))
        facts["labels"] = clean_text(without_credentials(str(settings.labels.file or "")))
    return facts


def _imported_facts(features: Features) -> dict[str, str]:
    notes = features.provenance.get("imported")
    notes = notes if isinstance(notes, Mapping) else {}
    columns = [shorten(str(name)) for name in notes.get("columns", [])]
    return {
        "imported from": clean_text(str(notes.get("file", "memory"))),
        "columns": first_ten(columns),
        "scaling": {
            "robust": "by median and quartiles, inside the training part of each fold",
            "none": "none: the numbers are used as they are",
        }.get(features.scaling, features.scaling),
    }


def _network_facts(features: Features) -> dict[str, str]:
    recipe, provenance = features.recipe, features.provenance
    facts: dict[str, str] = {}
    if isinstance(backbone := recipe.get("backbone"), Mapping):
        weights = provenance.get("weights") or ""
        weights = weights if isinstance(weights, Mapping) else str(weights)
        facts["backbone"] = f"{backbone.get('name')}{f', weights {weights_text(weights)}' if weights else ''}, frozen"
        facts["trained on"] = training_images(str(backbone.get("name")), weights)
        facts["pooling"] = str(backbone.get("pool") or _pools_text(recipe))
    if isinstance(transform := recipe.get("transform"), Mapping):
        facts["input"] = _input_text(transform)
    if channels := channel_names(features):
        kinds = {"planes": "together, as the planes of one image", "separate": "each alone, its numbers side by side"}
        how = str(recipe.get("channels_as", ""))
        facts["channels"] = f"{', '.join(channels)}: {kinds.get(how, how)}"
    facts |= _intensity_fact(recipe)
    if isinstance(plane := recipe.get("plane"), Mapping) and plane:
        facts["plane of stacks"] = ", ".join(f"{name} {value}" for name, value in plane.items())
    facts["precision"] = str(recipe.get("precision", ""))
    return {name: clean_text(value) for name, value in facts.items()}


def _pools_text(recipe: Mapping[str, Any]) -> str:
    """The pools of several networks that have different ones."""
    try:
        return ", ".join(f"{one.pool} of {one.label}" for one in recorded_networks(recipe))
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""


def _intensity_fact(recipe: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {"intensity": describe_intensity(recipe["intensity"])}
    except (KeyError, TypeError):
        return {}


def _input_text(transform: Mapping[str, Any]) -> str:
    parts = [f"{transform['input_size']} pixels a side"] if transform.get("input_size") else []
    if transform.get("resize"):
        parts.append(f"resized to {transform['resize']}")
    if transform.get("crop"):
        parts.append(f"the central {transform['crop']} pixels")
    return ", ".join(parts)
