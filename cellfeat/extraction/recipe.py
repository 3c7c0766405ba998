"""The recipe: everything that can change an embedding. Features are comparable only if their recipes are equal."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.blocks import BlockPooled
from cellfeat.backbones.pooling import StagePooled
from cellfeat.backbones.side_by_side import name_of
from cellfeat.errors import FingerprintError
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.store import FLOAT32, Summary, read_table
from cellfeat.provenance import differences


def make_recipe(context: RunContext, precision: str) -> dict[str, Any]:
    """Collect everything that can change an embedding, as plain JSON values.

    Parameters
    ----------
    context
        The context of the run.
    precision
        The precision that was chosen.
    """
    settings = context.request.settings
    recipe = {
        **_networks(context),
        "channels": list(context.manifest.channels),
        "channels_as": settings.preprocessing.channels_as,
        "passes": [one.name for one in context.inputs.passes],
        "intensity": context.decoder.policy.record(),
        "views": settings.extraction.views,
        "precision": precision,
        **_storage(context),
        **context.manifest.plane.record(),
        **_crop_rules(context),
        **_single_cells(context),
    }
    # As it is read back from a file: tuples become lists.
    return dict(json.loads(json.dumps(recipe)))


def _networks(context: RunContext) -> dict[str, Any]:
    """The network and its transform; of several, what they share, and what belongs to each under ``members``."""
    backbones = list(map(_network, context.networks))
    transforms = [transform.record() for transform in context.inputs.transforms]
    if len(backbones) == 1:
        return {"backbone": backbones[0], "transform": transforms[0]}
    shared_transform, own_transforms = _shared_and_own(transforms)
    shared, own = _shared_and_own(backbones)
    dims = [network.embedding_dim for network in context.networks]
    members = [
        # The names of two sizes of one network are equal, and are not left out for that.
        {"name": whole["name"], **{key: value for key, value in one.items() if key != "name"}, "embedding_dim": dim}
        | ({"transform": transform} if transform else {})
        for whole, one, dim, transform in zip(backbones, own, dims, own_transforms, strict=True)
    ]
    return {
        "backbone": {**shared, "name": name_of(context.networks), "members": members},
        "transform": shared_transform,
    }


def _network(backbone: LoadedBackbone) -> dict[str, Any]:
    return {
        "name": backbone.name,
        # The digest alone: a copy of the weights under another name makes the same embeddings.
        "weights_digest": backbone.weights_digest,
        "pool": backbone.pool,
        **_pooled_parts(backbone),
    }


def _shared_and_own(records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Divide records into what is the same in all, and the rest of each."""
    first, *others = records
    shared = {key: first[key] for key in first if all(key in one and one[key] == first[key] for one in others)}
    return shared, [{key: value for key, value in one.items() if key not in shared} for one in records]


def _pooled_parts(backbone: LoadedBackbone) -> dict[str, list[str] | list[int]]:
    """Name the stages or blocks that are pooled. Without any the key is absent, as in the recipes of earlier files."""
    match backbone.module:
        case StagePooled(stages=stages):
            return {"stages": list(stages)}
        case BlockPooled(blocks=blocks):
            return {"blocks": list(blocks)}
    return {}


def _storage(context: RunContext) -> dict[str, str]:
    """Name the type that embeddings are rounded to. For float32 the key is absent, as in earlier recipes."""
    stored = context.request.settings.extraction.storage
    return {} if stored == FLOAT32 else {"storage": stored}


def _crop_rules(context: RunContext) -> dict[str, Any]:
    """The rules by which samples are cut out of fields. For whole images the key is absent."""
    crops = context.manifest.crops
    return {} if crops is None else {"fields": crops.rules.record()}


def _single_cells(context: RunContext) -> dict[str, Any]:
    """Say that another program has masked and normalised the crops. For all other images the key is absent."""
    is_done = context.manifest.layout == "h5sc"
    return {"single_cells": {"masked": True, "normalised": True}} if is_done else {}


def recipe_like(context: RunContext, finished: Summary) -> dict[str, Any]:
    """Make the recipe of a run that may take the precision of a finished file.

    Parameters
    ----------
    context
        The context of the run.
    finished
        The finished file, whose precision is taken if the settings leave it open.
    """
    wanted = context.request.settings.extraction.precision
    return make_recipe(context, finished.recipe["precision"] if wanted == "auto" else wanted)


def check_expected_recipe(context: RunContext) -> None:
    """Refuse a recipe other than the expected one, before anything is computed.

    Raises
    ------
    FingerprintError
        If they differ; the message lists the differences.
    """
    expected = context.request.expected_recipe
    if expected is None:
        return
    recipe = make_recipe(context, context.request.precision)
    if recipe != expected:
        raise FingerprintError(
            f"{context.request.settings.images.root}: these images would be extracted by another recipe than expected "
            f"({'; '.join(differences(expected, recipe))}); use the settings of the earlier features"
        )


def check_same_features(context: RunContext, finished: Summary) -> None:
    """Refuse a finished file that the settings would not make again.

    Parameters
    ----------
    context
        The context of the run.
    finished
        The file.

    Raises
    ------
    FingerprintError
        If the recipe or the samples differ; the message lists the differences.
    """
    recipe = recipe_like(context, finished)
    found = differences({"recipe": finished.recipe}, {"recipe": recipe})
    ids, earlier_ids = set(context.manifest.table["sample_id"]), set(read_table(finished.path).sample_id)
    if finished.samples != context.manifest.digest():
        n_common = len(ids & earlier_ids)
        found.append(f"samples: {finished.n_samples} -> {len(ids)}, other ids or files; {n_common} ids in common")
    if not found:
        return
    can_update = recipe == finished.recipe and ids & earlier_ids
    update = "extract only what differs with --update, or " if can_update else ""
    raise FingerprintError(
        f"{context.request.output}: holds features of other settings or samples ({'; '.join(found)}). "
        f"The file is unchanged: {update}choose another --output"
    )
