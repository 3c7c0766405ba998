"""Views and passes: the pictures of a sample that go through the backbone.

A *view* is the sample rotated or mirrored. A *pass* is one forward of a view: three channels as the three planes of one
picture, or one channel alone, repeated to three planes. An embedding is the concatenation of the outputs of all passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cellfeat.errors import BackboneError


@dataclass(frozen=True)
class Pass:
    """One forward: its name, and the channel that fills each of the three planes."""

    name: str
    planes: tuple[int, int, int]


def make_passes(channels: Sequence[str | int], channels_as: str) -> list[Pass]:
    """List the passes of a sample.

    Parameters
    ----------
    channels
        Names of the sample's channels, in order.
    channels_as
        ``planes``: three channels as one picture, or one channel repeated; ``separate``: each channel alone; ``both``.

    Raises
    ------
    BackboneError
        If `channels_as` asks for planes and the number of channels is neither 1 nor 3.
    """
    alone = [Pass(str(name), (i, i, i)) for i, name in enumerate(channels)]
    if channels_as == "separate" or len(channels) == 1:
        return alone
    if len(channels) != 3:
        raise BackboneError(
            f"preprocessing.channels_as: {channels_as} makes one picture of 3 channels (or repeats 1), but there are "
            f"{len(channels)} ({', '.join(map(str, channels))}); choose three of them with "
            f"--set images.channels=[...], or show each alone with --set preprocessing.channels_as=separate"
        )
    together = [Pass("planes", (0, 1, 2))]
    return together + alone if channels_as == "both" else together


_VIEWS: tuple[tuple[bool, tuple[int, ...]], ...] = (
    (False, ()),
    (True, (-2,)),
    (False, (-2, -1)),
    (True, (-1,)),
    (False, (-1,)),
    (True, ()),
    (False, (-2,)),
    (True, (-2, -1)),
)
"""Whether a view is transposed, and along which axes it is reversed then: at most one copy of the pixels for each."""


def make_view(squares: torch.Tensor, view: int) -> torch.Tensor:
    """Rotate or mirror square pictures: the eight symmetries of the square; view 0 is the picture itself.

    Parameters
    ----------
    squares
        Pictures of shape ``(N, C, S, S)``.
    view
        0 to 3: that many quarter turns; 4 to 7: mirrored left to right, then ``view - 4`` quarter turns.
    """
    is_transposed, reversed_axes = _VIEWS[view]
    turned = squares.transpose(-2, -1) if is_transposed else squares
    return turned.flip(reversed_axes) if reversed_axes else turned
