"""The session of docs/guide/python-session.md runs from its first line to its last."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "guide" / "python-session.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every name of the session after its last line."""
    import matplotlib as mpl

    mpl.use("Agg")
    names: dict[str, Any] = {"__name__": "session"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("session"))
        for block in blocks("python"):
            exec(block, names)  # noqa: S102, the block is our own
        assert Path("recalls.pdf").read_bytes().startswith(b"%PDF")
    return names


def test_session_prints_what_the_page_says(session: dict[str, Any]) -> None:
    assert f"`{session['features']!r}`" in PAGE


def test_session_compares_and_scores(session: dict[str, Any]) -> None:
    assert session["table"]["head"].tolist()[-1] == "dummy"
    assert len(session["per_class"]) == 9
    assert session["comparison"].counts.n_groups == 10
    assert session["two_classes"].classes == ("HeLa", "other")
    assert session["by_halves"].counts.n_groups == 20
    assert session["scored"].counts.n_samples == 90
    assert session["everything"]["predicted"].notna().all()


def test_session_ends_in_anndata(session: dict[str, Any]) -> None:
    pytest.importorskip("anndata")
    for block in blocks("py"):
        exec(block, session)  # noqa: S102
    assert session["adata"].shape == (300, 20)
    assert session["adata"].obs["predicted"].notna().all()
