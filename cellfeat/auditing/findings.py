"""What an audit finds: findings a person should look at, and the groups of samples that belong together."""

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from cellfeat.auditing.leak import Leak
from cellfeat.auditing.probe_results import Probes
from cellfeat.html_text import html_block
from cellfeat.near_copies.placement import Placement
from cellfeat.text import clean_lines
from cellfeat.types import Strings


@dataclass(frozen=True)
class Finding:
    """One thing that a person should look at.

    Attributes
    ----------
    sample_id
        The sample; ``""`` where the finding is about a class.
    finding
        ``unreadable``, ``copy``, ``overlapping crop`` (it shares pixels of its field with others), ``near copy``,
        ``crossing copy`` (a near copy whose declared groups differ), ``look-alike`` (not kept together, since positions
        or declared groups exclude a common place), ``label conflict``, ``constant channel``, ``saturated channel``,
        ``confounded``, ``shortcut``, ``large group``, ``suspicious label`` or ``rare class``.
    partner
        The other sample of a pair; ``""`` where there is none.
    detail
        What was measured.
    placement
        Where the sample lies on its partner; None where that is not known, or there is no partner.
    """

    sample_id: str
    finding: str
    partner: str
    detail: str
    placement: Placement | None = None


@dataclass(frozen=True)
class ChanceOfNearCopies:
    """How many near copies are expected to be samples of different places that look alike.

    Attributes
    ----------
    expected
        Their expected number in the data set. Pairs with equal pixels are never chance.
    n_controls
        Number of pairs of a sample and a mirrored one that this is estimated from.
    """

    expected: float
    n_controls: int


@dataclass(frozen=True, repr=False)
class Audit:
    """Everything that an audit finds.

    Attributes
    ----------
    sample_id
        Ids, shape ``(n_samples,)``.
    group
        Name of each sample's group, shape ``(n_samples,)``: copies, near copies and the manifest's groups joined, or
        what else was asked for; named after their first sample.
    copies
        Name of each sample's group of copies and near copies alone, shape ``(n_samples,)``: what the pixels show,
        without the manifest's groups.
    findings
        Sorted by kind.
    leaks
        What random folds would have claimed, by head; empty if the samples cannot be split into folds.
    saw_pixels
        Whether the images were read, and near copies searched for.
    chance
        How many near copies are expected by chance; None where they were not searched for.
    probes
        What tells the class without the cells; None if the samples cannot be split into folds.
    samples_digest
        Digest of the samples' ids and pixels.
    """

    sample_id: Strings
    group: Strings
    copies: Strings
    findings: tuple[Finding, ...]
    leaks: tuple[Leak, ...]
    saw_pixels: bool
    chance: ChanceOfNearCopies | None = None
    probes: Probes | None = None
    samples_digest: str = ""

    def table(self) -> pd.DataFrame:
        """Table of the findings, one a row: ``finding, sample_id, partner, detail``."""
        columns = ["finding", "sample_id", "partner", "detail"]
        return pd.DataFrame([[getattr(one, name) for name in columns] for one in self.findings], columns=columns)

    def leaks_table(self) -> pd.DataFrame:
        """Table of the leaks: a head a row, its scores by what the folds keep together, and what random folds claim."""
        columns = ["head", "random", "copies", "near_copies", "claimed", "deviation", "is_scatter"]
        rows = [(leak.head, *leak.means, leak.claimed, leak.deviation, leak.is_scatter) for leak in self.leaks]
        return pd.DataFrame(rows, columns=columns)

    def probes_table(self) -> pd.DataFrame:
        """Table of the shortcut probes: ``seen, balanced_accuracy, low, high, chance, tells_class``."""
        columns = ["seen", "balanced_accuracy", "low", "high", "chance", "tells_class"]
        found = self.probes
        if found is None:
            return pd.DataFrame(columns=columns)
        rows = [
            (one.name, one.balanced_accuracy, *one.interval, found.chance, one in found.telling) for one in found.scores
        ]
        return pd.DataFrame(rows, columns=columns)

    def summary_lines(self) -> list[str]:
        """Say how many findings there are, what random folds would have claimed, and what tells the class."""
        counts, samples = self.counts(), f"{len(self.sample_id):,} samples in {len(set(self.group.tolist())):,} groups"
        found = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
        lines = [f"findings: {found}" if counts else "no findings", samples]
        lines += [] if self.saw_pixels else ["without the images: near copies and channels were not searched for"]
        for leak in self.leaks:
            told = "; ".join(filter(None, (leak.remark, leak.scope)))
            remark = f" ({told})" if told else ""
            lines.append(f"{leak.head}: random folds would have claimed {leak.claimed:+.3f}{remark}")
        return lines + ([self.probes.sentence(one) for one in self.probes.telling] if self.probes else [])

    def __repr__(self) -> str:
        return f"<Audit of {len(self.sample_id):,} samples: {len(self.findings):,} findings>"

    def __str__(self) -> str:
        return clean_lines("\n".join(self.summary_lines()))

    def _repr_html_(self) -> str:
        return html_block(self.summary_lines(), list(self.table().columns), self.table().to_numpy(object).tolist())

    def counts(self) -> dict[str, int]:
        """Number of findings of each kind."""
        return dict(Counter(finding.finding for finding in self.findings))
