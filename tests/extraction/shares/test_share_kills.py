"""Shares, planners, consolidators and plain extractions of one file, killed at random moments or started at once.

The kills are as many as CELLFEAT_KILLS says, 12 by default.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.extraction.store import parts_folder
from tests.extraction.observers import contents
from tests.extraction.shares.roles import KILLED, Ending, Roles, roles_of

MakeSettings = Callable[..., Settings]
RecordProperty = Callable[[str, object], None]

N_KILLS = int(os.environ.get("CELLFEAT_KILLS", "12"))
SMALL = {"extraction__part_size": 4, "extraction__batch_size": 2, "preprocessing__input_size": 32}
ALL = ("0/3", "1/3", "2/3")
CASTS = [
    ("plan", "0/3", "1/3"),
    ("0/3", "0/3", "2/3"),
    ("1/2", "0/3", "consolidate"),
    (*ALL, "consolidate"),
    ("extract", "2/3"),
    ("extract", "0/2", "plan", "consolidate"),
]
"""What runs at once: shares of different counts and shares that are made twice are among them."""
ALLOWED = re.compile("BusyError|FeatureFileError.*parts are missing|MissingFileError.*there is no plan", re.DOTALL)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600 + 15 * N_KILLS),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]


@pytest.fixture
def undisturbed(finished: Callable[..., Path]) -> dict[str, Any]:
    return contents(finished(**SMALL))


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(settings_for: MakeSettings, tmp_path: Path) -> Settings:
    (tmp_path / "out").mkdir()
    return settings_for(**SMALL, extraction__output=tmp_path / "out" / "features.h5")


@pytest.fixture
def roles(settings: Settings, links: str) -> Iterator[Roles]:
    with roles_of(settings, links) as roles:
        yield roles


def check_endings(endings: list[Ending], allowed: re.Pattern[str] = ALLOWED) -> None:
    for ending in endings:
        assert ending.code in (0, KILLED) or (ending.code == 1 and allowed.search(ending.error)), ending.error


def check_whole(roles: Roles, output: Path, undisturbed: dict[str, Any]) -> None:
    """Make what is missing, join it, and compare it with the file of one undisturbed process."""
    for role in ("1/2", "0/2", "consolidate"):
        assert roles.play(role) == [Ending(0, "")]
    assert contents(output) == undisturbed
    assert [path.name for path in output.parent.iterdir()] == ["features.h5"], "nothing but the file is left"


def duration_of(roles: Roles, output: Path) -> float:
    roles.play("plan")  # answers when the imports are done
    shutil.rmtree(parts_folder(output))
    began = time.monotonic()
    roles.play(*ALL)
    shutil.rmtree(parts_folder(output))
    return time.monotonic() - began


def test_killed_in_all_roles_at_random_moments(
    roles: Roles, settings: Settings, undisturbed: dict[str, Any], record_property: RecordProperty, links: str
) -> None:
    output = settings.extraction.output
    rng = np.random.default_rng(len(links))
    duration = duration_of(roles, output)
    n_killed = n_rounds = 0
    while n_killed < N_KILLS // 2:
        cast = CASTS[n_rounds % len(CASTS)]
        # Some processes of a round go on to their end beside those that are killed.
        kills = [rng.uniform(0, 1.2 * duration) if rng.random() < 0.7 else None for _ in cast]
        endings = roles.play(*cast, kills=kills)
        n_killed += sum(ending.code == KILLED for ending in endings)
        check_endings(endings)
        if output.exists():
            assert contents(output) == undisturbed
        n_rounds += 1
        if output.exists() or n_rounds % 3 == 0:
            check_whole(roles, output, undisturbed)
            output.unlink()
    check_whole(roles, output, undisturbed)
    record_property("faults", n_killed)


def test_sixteen_processes_without_a_plan(
    roles: Roles, settings: Settings, undisturbed: dict[str, Any], record_property: RecordProperty
) -> None:
    record_property("faults", 16)
    endings = roles.play(*[f"{i}/16" for i in range(8)], *[f"{i}/8" for i in range(8)])
    assert endings == [Ending(0, "")] * 16
    assert roles.play("consolidate") == [Ending(0, "")]
    assert contents(settings.extraction.output) == undisturbed
    assert [path.name for path in settings.extraction.output.parent.iterdir()] == ["features.h5"]


@pytest.mark.parametrize("n", [2, 5])
def test_consolidators_at_once(
    n: int, roles: Roles, settings: Settings, undisturbed: dict[str, Any], record_property: RecordProperty
) -> None:
    record_property("faults", n)
    roles.play(*ALL)
    endings = roles.play(*["consolidate"] * n)
    check_endings(endings, re.compile("BusyError"))
    assert Ending(0, "") in endings
    check_whole(roles, settings.extraction.output, undisturbed)


def test_share_made_by_five_processes_at_once(
    roles: Roles, settings: Settings, undisturbed: dict[str, Any], record_property: RecordProperty
) -> None:
    record_property("faults", 5)
    assert roles.play(*["0/1"] * 5) == [Ending(0, "")] * 5
    check_whole(roles, settings.extraction.output, undisturbed)
