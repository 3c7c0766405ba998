"""A named table: duplicates raise, unknown names list the near ones, extras are named."""

from dataclasses import dataclass

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


def test_missing_extra_gives_its_install_command() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'cellfeat\[ray\]'"):
        import_attribute("no_such_package:thing", extra="ray")


def test_name_of_a_family_is_suggested_with_its_prefix() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sklearn:SVC'"):
        HEADS["SVC"]
    with pytest.raises(UnknownNameError, match="mlp, sklearn:NAME"):
        HEADS["svm"]
