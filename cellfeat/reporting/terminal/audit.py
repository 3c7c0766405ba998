"""An audit in the terminal: counts of findings, the price of the leak, and the findings a person decides on."""

from dataclasses import replace

from rich.table import Table
from rich.text import Text

from cellfeat.auditing.findings import Audit, Finding
from cellfeat.auditing.probe_results import Probes, ProbeScore
from cellfeat.reporting.terminal.style import name_cell, one_line, plain_table
from cellfeat.text import clean_text

LISTED_KINDS = (
    "unreadable",
    "large group",
    "crossing copy",
    "look-alike",
    "label conflict",
    "confounded",
    "rare class",
    "shortcut",
    "suspicious label",
)
"""Kinds of findings that a person decides on one by one; of the others the number is enough."""

MOST_OF_A_KIND = 5

SHORT_ARMS = 3
"""Kinds of folds whose headings fit on one line of a terminal."""


def render_counts(found: Audit) -> Table:
    """Make the table of the number of findings of each kind."""
    table = plain_table()
    table.add_column("finding", no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    for finding, count in found.counts().items():
        table.add_row(finding, str(count))
    return table


def render_leaks(found: Audit) -> Table:
    """Make the table of leaks: scores for each kind of folds, and the gain that random folds would have claimed."""
    table = plain_table()
    table.add_column("head", no_wrap=True)
    arms = found.leaks[0].arms if found.leaks else ()
    for heading in (*arms, "random folds would have claimed"):
        table.add_column(heading, justify="right", no_wrap=len(arms) == SHORT_ARMS)
    for leak in found.leaks:
        scatter = f" ± {leak.deviation:.3f}" if len(leak.scores) > 1 else ""
        claim = f"{leak.claimed:+.3f}{scatter}"
        table.add_row(name_cell(leak.head), *(f"{score:.3f}" for score in leak.means), claim)
    return table


def chance_lines(found: Audit) -> list[str]:
    """Say how many near copies are expected by chance."""
    n_found = found.counts().get("near copy", 0)
    if found.chance is None or not n_found:
        return []
    expected = f"{found.chance.expected:.2f}" if found.chance.expected >= 0.01 else "fewer than 0.01"
    return [
        f"near copies: {n_found}, of which {expected} are expected by chance "
        f"(estimated from {found.chance.n_controls} pairs of a sample and a mirrored one)"
    ]


def leak_lines(found: Audit) -> list[str]:
    """Name classes that are left out, and heads whose price is none or no larger than the scatter between sets."""
    remarks = dict.fromkeys(leak.remark for leak in found.leaks if leak.remark)
    scopes = dict.fromkeys(clean_text(leak.scope) for leak in found.leaks if leak.scope)
    told = [f"{' and '.join(leak.head for leak in found.leaks if leak.remark == one)}: {one}" for one in remarks]
    return [*scopes, *told]


def render_probes(probes: Probes) -> Table:
    """Make the table of shortcut probes: what each scores, and the head and chance below."""
    table = plain_table()
    table.add_column("seen", no_wrap=True)
    for heading in ("score", "interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("tells the class", no_wrap=True)
    for probe in probes.scores:
        table.add_row(*_score_cells(probe), "yes" if probe in probes.telling else "no")
    if probes.head:
        table.add_row(*_score_cells(replace(probes.head, name=f"embeddings ({probes.head.name})")), "")
    table.add_row("chance", f"{probes.chance:.3f}", "", "")
    return table


def _score_cells(score: ProbeScore) -> tuple[Text, str, str]:
    low, high = score.interval
    return name_cell(score.name), f"{score.balanced_accuracy:.3f}", f"[{low:.3f}, {high:.3f}]"


def probe_lines(probes: Probes) -> list[str]:
    """Say how sure the intervals are, what tells the class though it is no finding, and what could not be probed."""
    lines = []
    if probes.scores:
        lines.append(
            f"a probe tells the class where its {probes.level:.1%} interval lies above chance and its score is "
            f"{probes.least:.2f} or more"
        )
    lines += [f"not probed: {name}: {why}" for name, why in probes.left_out.items()]
    # The others are findings, and listed there.
    return lines + [one_line(probes.sentence(probe)) for probe in probes.telling if not probe.is_shortcut]


def finding_lines(found: Audit) -> list[str]:
    """List the first findings of the kinds that a person decides on."""
    lines = []
    for kind in LISTED_KINDS:
        of_kind = [finding for finding in found.findings if finding.finding == kind]
        lines += [_finding_line(finding) for finding in of_kind[:MOST_OF_A_KIND]]
        lines += [f"{kind}: {len(of_kind) - MOST_OF_A_KIND} more"] if len(of_kind) > MOST_OF_A_KIND else []
    return lines


def _finding_line(finding: Finding) -> str:
    pair = " and ".join(filter(None, (finding.sample_id, finding.partner)))
    return one_line(": ".join(filter(None, (finding.finding, pair, finding.detail))))
