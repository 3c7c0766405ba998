"""What an audit finds: findings a person should look at, and the groups of samples that belong together."""

from collections import Counter
from dataclasses import dataclass

from cellfeat.auditing.leak import Leak
from cellfeat.auditing.probe_results import Probes
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
    """

    sample_id: str
    finding: str
    partner: str
    detail: str


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


@dataclass(frozen=True)
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

    def counts(self) -> dict[str, int]:
        """Number of findings of each kind."""
        return dict(Counter(finding.finding for finding in self.findings))
