"""Channels: out of names, or out of the files that were read."""

from collections import Counter
from collections.abc import Sequence

from cellfeat.proposing.candidates import Candidate
from cellfeat.proposing.labelling import Listed
from cellfeat.proposing.proposal import Choice
from cellfeat.proposing.survey import Example, Survey
from cellfeat.samples.formats.pages import AS_FILES
from cellfeat.text import first_ten

KEY = "images.channels"
MANY_PLANES = 8


def channel_choices(
    survey: Survey, candidate: Candidate, listed: Listed | None
) -> tuple[list[Choice], tuple[str, ...]]:
    """Choose the channels.

    Parameters
    ----------
    survey
        The images that were read.
    candidate
        The layout.
    listed
        The table that describes the samples.

    Returns
    -------
    tuple
        The choice, and remarks on files that have other channels.
    """
    if listed and len(listed.files) > 1:
        return [Choice(KEY, listed.channels, f"columns of files: {first_ten(listed.files)}")], ()
    if candidate.channels and not (listed and listed.files):
        sure = candidate.reading.is_channel_known
        why = "words for channels in the names" if sure else "the ends of the names, of which each sample has all"
        return [Choice(KEY, list(candidate.channels), why, is_guess=not sure)], ()
    return channels_of_files(survey.examples)


def channels_of_files(examples: Sequence[Example]) -> tuple[list[Choice], tuple[str, ...]]:
    """Channels inside of the files: by their names if all files give the same ones, otherwise by number."""
    if not examples:
        return [Choice(KEY, [0], "no image could be read: a guess of one channel", is_guess=True)], ()
    grey_plane = _shared_grey_plane(examples)
    n_channels = [_n_channels(example, grey_plane) for example in examples]
    kinds = Counter(n_channels)
    (n_planes, n_examples), *others = kinds.most_common()
    chosen = [example for example, number in zip(examples, n_channels, strict=True) if number == n_planes]
    remarks = _mixed_remark(kinds.total(), n_planes, n_examples) if others else ()
    remarks += _colour_map_remark(examples)
    names = Counter(
        tuple(example.channel_names[plane] for plane in example.planes) for example in chosen if example.channel_names
    )
    all_named = names.total() == len(chosen)
    # Of several as frequent, that of the first file.
    first = max(names, key=names.__getitem__, default=())
    if all_named and n_planes > 1 and len(set(first)) == n_planes and all(first):
        if len({frozenset(one) for one in names}) == 1:
            order = (
                "" if len(names) == 1 else f"; their order differs, as in {' and '.join(map(_listed, list(names)[:2]))}"
            )
            return [Choice(KEY, list(first), f"each file holds {n_planes} channels, and names them{order}")], remarks
        remarks = (*remarks, _other_names_remark(list(names)))
    without = "whose names differ" if len(names) > 1 else "without names"
    names_axes = all(example.names_axes for example in chosen)
    if n_planes > MANY_PLANES or (n_planes > 1 and not names_axes):
        reason = _channels_reason(n_planes, without, names_axes=names_axes)
        return [Choice(KEY, list(range(n_planes)), reason, is_guess=True)], remarks
    planes = list(chosen[0].planes) if n_planes > 1 or grey_plane is None else [grey_plane]
    why = "all files that were read are grey" if n_planes == 1 else f"each file holds {n_planes} channels {without}"
    if n_planes == 1 and any(example.grey_plane is not None for example in chosen):
        why = "grey images saved as RGB, in white or in one colour: the plane that holds them"
    return [Choice(KEY, planes, why, is_guess=bool(others) or len(names) > 1)], remarks


def _colour_map_remark(examples: Sequence[Example]) -> tuple[str, ...]:
    drawn = [example.name for example in examples if example.is_colour_map]
    if not drawn:
        return ()
    return (
        f"warning: {len(drawn)} of {len(examples)} images that were read have no more colours than a colour map, such "
        "as viridis or jet: they were drawn of grey values, and their red, green and blue are no channels; save the "
        f"grey values themselves. Such are {first_ten(drawn[:3])}",
    )


def _channels_reason(n_planes: int, without: str, *, names_axes: bool) -> str:
    if names_axes:
        return f"each file holds {n_planes} channels {without}; if they are cells, {AS_FILES}"
    return (
        f"each file holds {n_planes} planes and does not say what they are; if they are depths, "
        "--set 'images.plane={z: max}', if they are times, {t: 0}, and if they are cells, " + AS_FILES
    )


def _shared_grey_plane(examples: Sequence[Example]) -> int | None:
    """Give the plane that all grey images are in, saved as RGB or not; None where it is not one."""
    greys = {
        example.planes[0] if example.grey_plane is None else example.grey_plane
        for example in examples
        if len(example.planes) == 1 or example.grey_plane is not None
    }
    return greys.pop() if len(greys) == 1 else None


def _n_channels(example: Example, grey_plane: int | None) -> int:
    is_grey = example.grey_plane is not None and grey_plane is not None
    return 1 if is_grey else len(example.planes)


def _listed(names: Sequence[str]) -> str:
    return f"[{first_ten(names)}]"


def _other_names_remark(names: Sequence[Sequence[str]]) -> str:
    told = " and ".join(map(_listed, names[:2]))
    return (
        f"files name their channels in {len(names)} ways, such as {told}, and channels are taken by their numbers: "
        "check "
        "that number 0 is the same stain in all of them"
    )


def _mixed_remark(n_all: int, n_planes: int, n_examples: int) -> tuple[str, ...]:
    channels = "one channel" if n_planes == 1 else f"{n_planes} channels"
    return (
        f"images of different kinds are mixed: {n_examples} of {n_all} that were read hold {channels}, the others do "
        "not; keep one kind in this folder, or check images.channels",
    )


def separate_choice(n_channels: int) -> list[Choice]:
    """Show channels one by one to the network where they do not make one picture."""
    if n_channels in (1, 3):
        return []
    reason = f"{n_channels} channels are not one picture of three, so each is shown to the network alone"
    return [Choice("preprocessing.channels_as", "separate", reason)]
