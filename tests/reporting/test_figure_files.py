"""Figures in the formats that are asked for: text stays text, and no format shows earlier results."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from cellfeat.errors import ConfigError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.extraction.store import Features
from cellfeat.figures import KINDS, FigureKind, save_figure
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import check_bundle_folder, save_bundle
from cellfeat.reporting.figure_files import figure_writers
from cellfeat.reporting.files import write_held_out, write_report
from tests.feature_fixtures import SMALL, build_clusters

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-"}
SCRIPTS = ("β-cells", "Клетка", "الخلايا", "<script>", "$\\alpha$ & b")


@pytest.fixture(scope="module")
def scripts() -> Comparison:
    return compare(build_clusters(n=150, classes=SCRIPTS), ["logreg"], design=SMALL)


def written(comparison: Comparison, folder: Path, *kinds: str) -> set[str]:
    files = write_report(comparison, folder, figures=kinds)  # type: ignore[arg-type]
    return {path.name for path in files if path.suffix.lstrip(".") in KINDS}


@pytest.mark.slow
def test_each_figure_is_written_in_each_format(comparison: Comparison, tmp_path: Path) -> None:
    names = written(comparison, tmp_path, *KINDS)
    assert len(names) == 3 * (3 + len(comparison.results))
    for name in names:
        assert (tmp_path / name).read_bytes().startswith(STARTS[name.rpartition(".")[2]])


@pytest.mark.slow
def test_formats_of_an_earlier_comparison_are_removed(scripts: Comparison, tmp_path: Path) -> None:
    written(scripts, tmp_path, "svg")
    left = written(scripts, tmp_path, "png")
    assert {path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".svg", ".pdf")} == left


@pytest.mark.slow
def test_held_out_figures_replace_those_of_other_formats(bundle: Bundle, held_out: Features, tmp_path: Path) -> None:
    found = score_held_out(bundle, held_out, draws=100)
    write_held_out(found, tmp_path, figures=["svg"])
    write_held_out(found, tmp_path, figures=["pdf"])
    assert sorted(path.name for path in tmp_path.glob("*.[sp][vd][gf]")) == ["confusion.pdf", "reliability.pdf"]


def test_saved_head_with_vector_figures_may_be_replaced(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "head"
    save_bundle(bundle, folder)
    for name in ("confusion.svg", "reliability.pdf"):
        (folder / name).touch()
    check_bundle_folder(folder)


def test_svg_keeps_names_of_any_script_as_text(scripts: Comparison, tmp_path: Path) -> None:
    for number, figure in enumerate((scripts.plot_confusion(), scripts.plot_recalls())):
        save_figure(figure, tmp_path / f"{number}.svg", "svg")
        text = (tmp_path / f"{number}.svg").read_text(encoding="utf-8")
        assert all(script in text for script in SCRIPTS[:3])
        assert "&lt;script&gt;" in text
        assert "<script" not in text
        assert "$\\alpha$ &amp; b" in text, "no mathematics is set"


@pytest.mark.slow
def test_pdf_embeds_fonts_as_truetype(scripts: Comparison, tmp_path: Path) -> None:
    save_figure(scripts.plot_confusion(), tmp_path / "x.pdf", "pdf")
    content = (tmp_path / "x.pdf").read_bytes()
    assert b"/CIDFontType2" in content
    assert b"/Type3" not in content


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_equal_figures_are_equal_files(comparison: Comparison, tmp_path: Path, kind: FigureKind) -> None:
    for name in ("first", "second"):
        save_figure(comparison.plot_recalls(), tmp_path / name, kind)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_figure_is_drawn_once_for_all_formats(tmp_path: Path) -> None:
    drawn = []

    def draw() -> Figure:
        drawn.append(1)
        return Figure(figsize=(1, 1))

    for name, write in figure_writers("x", draw, KINDS).items():
        write(tmp_path / name)
    assert drawn == [1]


def test_unknown_format_is_refused() -> None:
    from cellfeat.config_sources import load_settings

    with pytest.raises(ConfigError, match=r"comparison\.figures.*png"):
        load_settings(overrides={"comparison.figures": ["gif"]})
    assert load_settings(overrides={"comparison.figures": "svg"}).comparison.figures == ("svg",)
