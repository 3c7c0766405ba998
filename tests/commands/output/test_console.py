"""Tables on stdout."""

from rich.table import Table
from rich.text import Text

from cellfeat.commands.output.console import print_table


def test_a_row_in_a_pipe_is_one_plain_line(capsys):
    table = Table(box=None, header_style="bold red")
    table.add_column("name")
    table.add_column("score")
    long = "a name of many words " * 20
    table.add_row(Text(long), Text("0.9"))
    table.add_row(Text("short"), Text(""))
    print_table(table)
    heading, row, last = capsys.readouterr().out.splitlines()
    assert heading.split() == ["name", "score"]
    assert row.split() == [*long.split(), "0.9"]
    assert last.strip() == "short"
    assert last == last.rstrip()
