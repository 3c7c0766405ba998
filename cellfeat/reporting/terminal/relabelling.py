"""What changed labels do to the scores of heads, in the terminal."""

from rich.table import Table
from rich.text import Text

from cellfeat.evaluation.relabelling.effect import OldAndNew, RelabellingEffect
from cellfeat.reporting.terminal.style import name_cell, one_line, plain_table


def render_relabelling(effect: RelabellingEffect) -> Table:
    """Make the table of old and new labels: three lines a head."""
    table = plain_table()
    table.add_column("head", no_wrap=True)
    table.add_column("labels", no_wrap=True)
    table.add_column("all samples", no_wrap=True)
    if effect.judged.n_changed_seen:
        table.add_column("without changes after seeing", no_wrap=True)
    for one in effect.heads:
        scores = [one.all_samples, *([one.unseen] if effect.judged.n_changed_seen else [])]
        names = (name_cell(one.head), Text(""), Text(""))
        for name, label, row in zip(names, ("old", "new", "gain"), zip(*map(_cells, scores), strict=True), strict=True):
            table.add_row(name, label, *row)
    return table


def relabelling_lines(effect: RelabellingEffect) -> list[str]:
    """Say what was judged, what came of it for the best head, and what the numbers do not show."""
    return [one_line(line) for line in effect.summary_lines()]


def _cells(found: OldAndNew | None) -> tuple[str, str, str]:
    if found is None:
        return ("cannot be scored", "", "")
    return (found.old.text(), found.new.text(), found.gain_text())
