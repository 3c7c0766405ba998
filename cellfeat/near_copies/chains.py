"""Check overlaps against each other: where one overlap follows from two others, the pixels must show it, too."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from cellfeat.near_copies.overlap import Overlap, Pair, Shape

LEAST_SHARE = 0.25
"""An overlap that follows from two others is looked for if it covers this share of the smaller sample."""

MOST_CHECKED = 100_000

Shift = tuple[int, int]
Strength = Callable[[Pair, Shift], float]


def contradicted(
    found: Mapping[Pair, Overlap], shapes: list[Shape], strength: Strength, least_strength: float
) -> set[Pair]:
    """Find overlaps that do not fit the others: of A with B and of B with C, if then A and C have nothing in common.

    The weaker of two such overlaps is contradicted; equal pixels never are.

    Parameters
    ----------
    found
        The overlap of each pair.
    shapes
        Height and width of each sample.
    strength
        Measures how well the pixels of a pair agree at a shift.
    least_strength
        Samples have nothing in common below this strength.
    """
    wrong: set[Pair] = set()
    for checked, (ends, through, shift) in enumerate(_implied(found)):
        if checked == MOST_CHECKED:
            break
        doubtful = [pair for pair in through if not found[pair].is_exact]
        shapes_of_ends = shapes[ends[0]], shapes[ends[1]]
        if not doubtful or Overlap.at(shift, shapes_of_ends, 0.0, is_exact=False).share < LEAST_SHARE:
            continue
        if strength(ends, shift) < least_strength:
            wrong.add(min(doubtful, key=lambda pair: found[pair].correlation))
    return wrong


def _implied(found: Mapping[Pair, Overlap]) -> Iterator[tuple[Pair, tuple[Pair, Pair], Shift]]:
    """Ends of chains of two overlaps that were not found to overlap, the two overlaps, and the shift that follows."""
    steps: dict[int, list[tuple[int, Pair, Shift]]] = defaultdict(list)
    for (first, second), overlap in found.items():
        steps[first].append((second, (first, second), (overlap.rows, overlap.columns)))
        steps[second].append((first, (first, second), (-overlap.rows, -overlap.columns)))
    for of_middle in steps.values():
        for place, (one, pair, shift) in enumerate(of_middle):
            for other, other_pair, other_shift in of_middle[place + 1 :]:
                if (min(one, other), max(one, other)) not in found:
                    yield (
                        (one, other),
                        (pair, other_pair),
                        (other_shift[0] - shift[0], other_shift[1] - shift[1]),
                    )
