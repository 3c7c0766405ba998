"""A named table: duplicates raise, unknown names list the near ones, extras are named."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from cellfeat.errors import DuplicateNameError, MissingExtraError, UnknownNameError
from cellfeat.heads.registry import HEADS
from cellfeat.registry import Registry, import_attribute


@dataclass(frozen=True)
class Thing:
    name: str


@pytest.fixture
def things() -> Registry[Thing]:
    table = Registry[Thing]("thing", "cellfeat.no_such_group")
    for name in ("lightgbm", "mlp"):
        table.add(Thing(name))
    return table


def test_entries_are_found_by_name_in_order(things: Registry[Thing]) -> None:
    assert things["mlp"] == Thing("mlp")
    assert list(things) == ["lightgbm", "mlp"]
    assert "mlp" in things
    assert "svm" not in things


def test_unknown_name_lists_near_and_valid_names(things: Registry[Thing]) -> None:
    with pytest.raises(UnknownNameError, match=r"no thing is named 'lihgtgbm'; did you mean 'lightgbm'.*lightgbm, mlp"):
        things["lihgtgbm"]


def test_duplicate_name_is_refused(things: Registry[Thing]) -> None:
    with pytest.raises(DuplicateNameError, match="'mlp' exists already"):
        things.add(Thing("mlp"))


def test_entry_points_add_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    class EntryPoint:
        def load(self) -> Thing:
            return Thing("theirs")

    monkeypatch.setattr("cellfeat.registry.entry_points", lambda group: [EntryPoint()] if group == "g" else [])
    assert Registry[Thing]("thing", "g")["theirs"] == Thing("theirs")


@pytest.fixture
def with_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package with two plugins, of which the first cannot be imported."""
    package = tmp_path / "theirs-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[cellfeat.things]\nbroken = theirs:broken\nwhole = theirs_whole:thing\n")
    (tmp_path / "theirs.py").write_text("raise RuntimeError('needs a library of 2019')\n")
    (tmp_path / "theirs_whole.py").write_text(f"from {__name__} import Thing\nthing = Thing('whole')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("with_plugins")
def test_a_plugin_that_cannot_be_imported_is_named_and_spoils_no_other(caplog: pytest.LogCaptureFixture) -> None:
    table = Registry[Thing]("thing", "cellfeat.things")
    assert list(table) == ["whole"]
    left_out = "thing 'broken' of theirs:broken is left out: RuntimeError: needs a library of 2019"
    assert caplog.messages == [left_out]
    with pytest.raises(UnknownNameError, match=re.escape(left_out)):
        table["broken"]


def test_missing_extra_gives_its_install_command() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'cellfeat\[ray\]'"):
        import_attribute("no_such_package:thing", extra="ray")


def test_table_shows_its_names(things: Registry[Thing]) -> None:
    things.add_family("other:", "cellfeat.text:shorten")
    assert repr(things) == "<Registry of 2 entries (thing): lightgbm, mlp, other:NAME>"


def test_class_of_a_family_is_suggested() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sklearn:SVC'"):
        HEADS["SVC"]
    with pytest.raises(UnknownNameError, match=r"Valid: .*logreg, .*sklearn:NAME"):
        HEADS["nearest"]
