"""Samples called like changed copies of others: turned, mirrored or otherwise augmented for training."""

import re
from collections import Counter

from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.text import counted, first_ten

# `rot` alone is a colour in German, and `aug` a month: such a name counts only beside the sample that it was made of.
_CHANGED = re.compile(
    r"(?P<source>.+?)([_\-. ]([hv]_?flip|flip|mirror|[hv]_?mirror|transpose|rotat(e|ion)|aug(ment(ation)?)?)(p?ed|d)?"
    r"([_\-]?([hvxy]|lr|ud|\d{1,3}))?|[_\-. ]rot[_\-]?\d{1,3})+",
    re.IGNORECASE,
)
# Roboflow names each version of an image by a digest, and keeps no original.
_VERSION = re.compile(r"(?P<source>.+)\.rf\.[0-9a-f]{32}", re.IGNORECASE)


def augmented_remarks(manifest: Manifest) -> list[str]:
    """Warn of samples that are called like changed copies of others, unless one group keeps both.

    Parameters
    ----------
    manifest
        The samples.
    """
    groups = dict(zip(manifest.table["sample_id"], manifest.table["group"], strict=True))
    copies = {
        name: source
        for name, source in (_changed_copies(groups) | _versions(groups)).items()
        if not groups[name] or groups[name] != groups[source]
    }
    if not copies:
        return []
    told = first_ten(f"{name} of {source}" for name, source in copies.items())
    is_are = "is" if len(copies) == 1 else "are"
    return [
        f"warning: {counted(len(copies), 'sample')} {is_are} called like changed copies of others: {told}; a copy in "
        "training makes the score of its original too high. Leave them out, or name the original of each in a column "
        "of groups (labels.group); cellfeat audit finds those that were only turned or mirrored"
    ]


def _changed_copies(names: dict[str, str]) -> dict[str, str]:
    matches = {name: _CHANGED.fullmatch(name) for name in names}
    return {name: match["source"] for name, match in matches.items() if match and match["source"] in names}


def _versions(names: dict[str, str]) -> dict[str, str]:
    """Versions of one image but the first, each with the first."""
    sources = {name: match["source"] for name in names if (match := _VERSION.fullmatch(name))}
    several = {source for source, number in Counter(sources.values()).items() if number > 1}
    firsts: dict[str, str] = {}
    for name, source in sources.items():
        firsts.setdefault(source, name)
    return {name: firsts[source] for name, source in sources.items() if source in several and firsts[source] != name}
