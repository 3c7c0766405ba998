"""What `cellfeat doctor` finds among the packages."""

from pathlib import Path

import pytest

from cellfeat.doctor import packages
from cellfeat.doctor.packages import look_at_imports, look_at_packages


def test_names_a_package_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "requires", lambda _: ["numpy>=999", "click>=8.1"])
    (finding, *_) = look_at_packages()
    assert (finding.topic, finding.state) == ("numpy", "problem")
    assert ">=999" in finding.found
    assert finding.advice == "pip install 'numpy>=999'"


def test_names_a_package_that_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "requires", lambda _: ["no-such-package>=1"])
    (finding, *_) = look_at_packages()
    assert (finding.topic, finding.found) == ("no-such-package", "not installed")


def test_an_absent_extra_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "requires", lambda _: ["click>=8.1", 'no-such-package>=1; extra == "ray"'])
    found = {finding.topic: finding for finding in look_at_packages()}
    assert found["extra ray"].state == "note"
    assert found["extra ray"].advice == "pip install 'cellfeat[ray]'"
    assert found["packages"].found == "1 of 1 in versions that fit"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("raise ImportError('libomp.dylib not loaded')", "libomp"), ("import os; os.kill(os.getpid(), 11)", "signal 11")],
)
def test_says_why_a_package_cannot_be_imported(
    source: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(packages, "IMPORTED", ("broken_package",))
    (finding,) = look_at_imports()
    assert finding.state == "problem"
    assert expected in finding.found


def test_packages_that_load_are_not_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "IMPORTED", ("json",))
    assert not list(look_at_imports())
