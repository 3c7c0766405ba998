"""``cellfeat doctor``."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from cellfeat.commands.output.lines import show, write_exactly

if TYPE_CHECKING:
    from cellfeat.doctor.findings import Finding

MARKS = {"ok": "ok", "note": "note", "problem": "PROBLEM"}


@click.command("doctor")
@click.option("--self-test/--no-self-test", "tests", default=True, help="Run every step on generated images.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list in place of lines.")
def command(*, tests: bool, as_json: bool) -> None:
    """Say what is installed, which device and threads are used, what is in conflict, and test every step.

    The self-test takes about a minute and needs no download: a small network with random weights embeds generated cells
    in a temporary folder. The exit code is 1 where something is wrong.
    """
    findings = _findings(tests=tests)
    if as_json:
        found = list(findings)
        write_exactly(json.dumps([finding.record() for finding in found], indent=2) + "\n")
    else:
        found = [_shown(finding) for finding in findings]
        show(_summary(found))
    if any(finding.state == "problem" for finding in found):
        raise click.exceptions.Exit(1)


def _findings(*, tests: bool) -> Iterator["Finding"]:
    """Yield findings as they are made; the self-test is left out where something is wrong already."""
    from cellfeat.doctor.examine import examine, self_test

    is_sound = True
    for finding in examine():
        is_sound = is_sound and finding.state != "problem"
        yield finding
    if tests and is_sound:
        yield from self_test()


def _shown(finding: "Finding") -> "Finding":
    show(f"{MARKS[finding.state]:<8}{finding.topic:<26}{finding.found}")
    if finding.advice:
        show(f"{'':<34}-> {finding.advice}")
    return finding


def _summary(found: list["Finding"]) -> str:
    n_problems = sum(finding.state == "problem" for finding in found)
    if n_problems:
        return f"\n{n_problems} {'problem' if n_problems == 1 else 'problems'}"
    return (
        "\neverything needed is there and works" if any("self-test" in one.topic for one in found) else "\nno problems"
    )
