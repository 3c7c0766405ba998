"""Tables as a terminal shows them."""

import io

from rich.console import Console
from rich.table import Table

NARROW = 80


def rendered(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]
