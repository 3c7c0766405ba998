"""The networks that a recipe names, and the columns of an embedding that belong to each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cellfeat.backbones.side_by_side import SEPARATOR


@dataclass(frozen=True)
class RecordedNetwork:
    """A network as a recipe records it.

    Attributes
    ----------
    label
        Its name, with ``@`` and its size where the networks of the recipe have several sizes.
    name, pool, weights_digest
        As of a loaded backbone.
    transform
        The record of its preprocessing.
    embedding_dim
        Its columns of one pass; None where it is the only network, whose recipe does not say.
    """

    label: str
    name: str
    pool: str
    weights_digest: str
    transform: Mapping[str, Any]
    embedding_dim: int | None


@dataclass(frozen=True)
class ColumnBlock:
    """Columns of an embedding that one network made in one pass.

    Attributes
    ----------
    columns
        Their numbers.
    pass_name
        The pass: ``planes``, or a channel that was shown alone.
    network
        Label of the network.
    """

    columns: slice
    pass_name: str
    network: str


def recorded_networks(recipe: Mapping[str, Any]) -> list[RecordedNetwork]:
    """List the networks of a recipe, in the order of their columns.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the recipe is not as an extraction writes it.
    """
    backbone, transform = recipe["backbone"], recipe["transform"]
    members = backbone.get("members")
    if members is None:
        only = (backbone["name"], backbone["name"], backbone["pool"], backbone["weights_digest"])
        return [RecordedNetwork(*only, transform, None)]
    whole = [{**backbone, **member} for member in members]
    return [
        RecordedNetwork(
            label,
            one["name"],
            one["pool"],
            one["weights_digest"],
            {**transform, **one.get("transform", {})},
            one["embedding_dim"],
        )
        for label, one in zip(backbone["name"].split(SEPARATOR), whole, strict=True)
    ]


def column_blocks(recipe: Mapping[str, Any], n_columns: int) -> list[ColumnBlock]:
    """Say which columns of an embedding belong to which pass and network, in order.

    Parameters
    ----------
    recipe
        That of an extraction.
    n_columns
        Number of columns of an embedding.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the recipe is not as an extraction writes it, or does not give that many columns.

    Examples
    --------
    >>> network = {"name": "resnet18", "pool": "norm", "weights_digest": ""}
    >>> recipe = {"backbone": network, "transform": {}, "passes": ["planes", "DAPI"]}
    >>> [(block.columns, block.pass_name) for block in column_blocks(recipe, 1024)]
    [(slice(0, 512, None), 'planes'), (slice(512, 1024, None), 'DAPI')]
    """
    passes, networks = list(map(str, recipe["passes"])), recorded_networks(recipe)
    dims = [n_columns // len(passes) if one.embedding_dim is None else one.embedding_dim for one in networks]
    if sum(dims) * len(passes) != n_columns:
        raise ValueError(f"{len(passes)} passes of {' + '.join(map(str, dims))} columns are not {n_columns} columns")
    blocks, start = [], 0
    for pass_name in passes:
        for network, dim in zip(networks, dims, strict=True):
            blocks.append(ColumnBlock(slice(start, start + dim), pass_name, network.label))
            start += dim
    return blocks
