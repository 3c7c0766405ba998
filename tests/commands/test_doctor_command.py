"""`cellfeat doctor`."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from cellfeat.commands import cellfeat
from cellfeat.doctor import examine
from cellfeat.doctor.findings import Finding


def answer(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    def tests() -> Iterator[Finding]:
        yield Finding("self-test: extract", "180 samples")

    monkeypatch.setattr(examine, "examine", lambda: iter(findings))
    monkeypatch.setattr(examine, "self_test", tests)


def test_ends_well_where_all_works(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, Finding("python", "3.12"), Finding("extra ray", "not installed", "note", "pip install it"))
    done = CliRunner().invoke(cellfeat, ["doctor"])
    assert done.exit_code == 0
    assert "-> pip install it" in done.output
    assert "everything needed is there and works" in done.output


def test_a_problem_gives_exit_code_1_and_no_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, Finding("numpy", "not installed", "problem", "pip install numpy"))
    done = CliRunner().invoke(cellfeat, ["doctor"])
    assert done.exit_code == 1
    assert "1 problem" in done.output
    assert "self-test" not in done.output


def test_json_holds_every_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, Finding("python", "3.12"))
    done = CliRunner().invoke(cellfeat, ["doctor", "--json"])
    assert [one["topic"] for one in json.loads(done.output)] == ["python", "self-test: extract"]
