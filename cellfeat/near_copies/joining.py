"""Which near copies are kept together: what positions and declared groups say about what the pixels show."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cellfeat.near_copies.overlap import Overlap, Pair, Shape
from cellfeat.near_copies.positions import CONFIRMED, LEAST_SHARE, TOLERANCE, Positions, positions
from cellfeat.near_copies.search import NearCopies, Relation
from cellfeat.samples.regions import Regions
from cellfeat.types import Strings


@dataclass(frozen=True)
class Joining:
    """The near copies of a data set, and what is not kept together.

    Attributes
    ----------
    joined
        How the two samples are related, by pair: these stay together.
    crossing
        Where the declared groups of a joined pair differ, by pair. Their pixels are equal.
    apart
        Why a pair that looks alike is not joined, by pair.
    expected_false, n_controls
        As in `cellfeat.near_copies.search.NearCopies`.
    remarks
        What was found about the positions.
    related
        How the two samples are related, of all pairs: of those that are joined, and of those that are not.
    """

    joined: Mapping[Pair, Relation]
    crossing: Mapping[Pair, str]
    apart: Mapping[Pair, str]
    expected_false: float = 0.0
    n_controls: int = 0
    remarks: tuple[str, ...] = ()
    related: Mapping[Pair, Relation] = field(default_factory=dict)


@dataclass(frozen=True)
class Declared:
    """What is known of the samples besides their pixels.

    Attributes
    ----------
    groups
        Columns whose different values exclude a common place, such as plates; shape ``(n_samples,)`` each.
    columns
        All further columns, among which positions are looked for.
    """

    groups: Mapping[str, Strings]
    columns: Mapping[str, Strings]


def declared(group: Strings, columns: Mapping[str, Strings], regions: Regions | None = None) -> Declared:
    """Collect what is known of samples: their groups, and columns of plates.

    Parameters
    ----------
    group
        The declared group of each sample, ``""`` where there is none; shape ``(n_samples,)``.
    columns
        Further columns, shape ``(n_samples,)`` each.
    regions
        Where the samples lie on their fields; None where they are whole images.
    """
    plates = {name: values for name, values in columns.items() if re.search("plate", name, re.IGNORECASE)}
    if regions is not None:
        # Positions tell nothing new: the boxes have decided on crops of one field. Groups that are the fields do not
        # exclude a common place: two images may show one place, as neighbours of a scan or at two times.
        named = {} if _is_one_to_one(group, regions.field) else {"group": group}
        return Declared(named | plates, {})
    # The group may be the field of view; a column that says so by its name is preferred.
    return Declared({"group": group, **plates}, columns if positions(columns) else {**columns, "field group": group})


def _is_one_to_one(one: Strings, other: Strings) -> bool:
    """Whether two columns group the samples alike."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


def join(found: NearCopies, known: Declared, shapes: Mapping[int, Shape]) -> Joining:
    """Decide which near copies are kept together.

    Pairs with equal pixels always are. Others are not where their plates or declared groups differ. Where the samples'
    positions in their field of view are known, and the pixels confirm them, the positions decide.

    Parameters
    ----------
    found
        What the pixels show.
    known
        What is known besides.
    shapes
        Height and width of each sample in pixels, by row.
    """
    placed = positions(known.columns)
    predicted = placed.predicted(shapes) if placed else {}
    remarks: tuple[str, ...] = ()
    if placed and predicted:
        confirmed = _confirmed(found.found, predicted, shapes)
        is_trusted = confirmed >= CONFIRMED
        remarks = (_remark(placed, predicted, confirmed, is_trusted=is_trusted),)
        placed = placed if is_trusted else None
    else:
        placed = None
    pairs = dict(found.found)
    if placed:
        pairs |= {
            pair: overlap for pair, overlap in predicted.items() if overlap.share >= LEAST_SHARE and pair not in pairs
        }
    apart = {pair: why for pair, how in pairs.items() if (why := _why_apart(pair, how, known, placed, predicted))}
    joined = {pair: how for pair, how in sorted(pairs.items()) if pair not in apart}
    crossing = {pair: where for pair in joined if (where := _difference(pair, known))}
    return Joining(joined, crossing, apart, found.expected_false, found.n_controls, remarks, pairs)


def _confirmed(found: Mapping[Pair, Relation], predicted: Mapping[Pair, Overlap], shapes: Mapping[int, Shape]) -> float:
    """Share of the predicted overlaps, of those large enough to be seen, that the pixels show at the same shift."""
    large = [pair for pair, overlap in predicted.items() if overlap.share >= LEAST_SHARE]
    shown = [pair for pair in large if _agree(found.get(pair), predicted[pair], max(shapes[pair[0]]))]
    return len(shown) / len(large) if large else 0.0


def _agree(how: Relation | None, predicted: Overlap, side: int) -> bool:
    if not isinstance(how, Overlap):
        return False
    return max(abs(how.rows - predicted.rows), abs(how.columns - predicted.columns)) <= max(TOLERANCE * side, 1)


def _remark(placed: Positions, predicted: Mapping[Pair, Overlap], confirmed: float, *, is_trusted: bool) -> str:
    n_large = sum(overlap.share >= LEAST_SHARE for overlap in predicted.values())
    told = f"{n_large} pairs overlap by their positions ({', '.join(placed.columns)}), {confirmed:.0%} of them visibly"
    return f"{told}: " + ("positions decide" if is_trusted else "the positions are ignored, and the pixels decide")


def _why_apart(
    pair: Pair, how: Relation, known: Declared, placed: Positions | None, predicted: Mapping[Pair, Overlap]
) -> str:
    """Say why a pair is not kept together; ``""`` if it is."""
    if how.is_exact:
        return ""
    if difference := _difference(pair, known):
        return f"{how.describe()}, but {difference}"
    if placed and placed.are_apart(pair):
        return f"{how.describe()}, but in different fields of view"
    if placed and placed.are_in_one_picture(pair) and pair not in predicted:
        return f"{how.describe()}, but too far apart in their field of view"
    return ""


def _difference(pair: Pair, known: Declared) -> str:
    """Say which declared groups of a pair differ; ``""`` if none does."""
    for name, values in known.groups.items():
        one, other = values[list(pair)].tolist()
        if one and other and one != other:
            return f"{name} {one} and {other}"
    return ""
