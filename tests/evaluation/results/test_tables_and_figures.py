"""What Python users see of results: tables, figures, short text, and HTML without a name that a browser would obey."""

import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import cellfeat
from cellfeat.auditing.audit import audit
from cellfeat.errors import ConfigError, UnknownNameError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.learning_curves.learning_curves import learning_curves_on
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.evaluation.task.task import prepare
from cellfeat.extraction.store import Features
from cellfeat.heads.saved.bundle import Bundle
from tests.feature_fixtures import HOSTILE, SMALL, build_clusters

EVIL = ("<script>alert(1)</script>", "a & b", '"><img src=x onerror=alert(1)>')


class Tags(HTMLParser):
    """Collects the tags, attributes and text of a page, and whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> Tags:
    page = Tags()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def evil() -> Comparison:
    return compare(build_clusters(classes=EVIL), ["logreg", "dummy"], design=SMALL)


# Tables


def test_table_of_heads_says_what_the_terminal_says(comparison: Comparison) -> None:
    table = comparison.table()
    assert table["head"].tolist() == [result.head for result in comparison.results]
    assert table["balanced_accuracy"].is_monotonic_decreasing
    assert table["verdict"].tolist()[0] == "best"
    worst = table.set_index("head").loc["dummy"]
    assert worst["verdict"] == "worse"
    assert worst["difference"] == pytest.approx(table["balanced_accuracy"][0] - worst["balanced_accuracy"])
    assert worst["difference_low"] > 0
    assert np.isnan(table["difference"][0])


def test_per_class_table_has_each_class_of_each_head(comparison: Comparison) -> None:
    table = comparison.per_class_table()
    assert len(table) == len(comparison.results) * len(comparison.classes)
    mean = table.groupby("head")["recall"].mean()
    assert mean["knn"] == pytest.approx(comparison["knn"].balanced_accuracy)
    assert (table["n_samples"] == 60).all()
    dummy = table[(table["head"] == "dummy") & (table["recall"] == 0)]
    assert dummy["confused_with"].nunique() == 1
    assert (dummy["share"] == 1).all()


def test_tuning_table_has_each_fold() -> None:
    tuned = compare(build_clusters(n=90), ["knn"], design=Design(folds=3, draws=100, tune=2))
    assert tuned.tuning_table()["fold"].tolist() == [1, 2, 3]
    assert compare(build_clusters(n=90), ["dummy"], design=SMALL).tuning_table().empty


def test_held_out_table_has_one_row(bundle: Bundle, held_out: Features) -> None:
    scored = score_held_out(bundle, held_out, draws=100)
    (row,) = scored.table().to_dict("records")
    assert row["difference"] == pytest.approx(row["balanced_accuracy"] - row["out_of_fold"])
    assert row["n_samples"] == len(held_out)
    assert str(scored).endswith(scored.verdict())


def test_predictions_as_a_table(bundle: Bundle, held_out: Features) -> None:
    table = predict(bundle, held_out).table()
    assert table.index.tolist() == held_out.samples.ids.tolist()
    assert table.filter(like="probability_").sum(axis=1).to_numpy() == pytest.approx(1)


@pytest.mark.slow
def test_audit_tables(make_features: Callable[..., Features]) -> None:
    found = audit(build_clusters(n=90), design=Design(folds=3))
    assert found.table().columns.tolist() == ["finding", "sample_id", "partner", "detail"]
    assert found.leaks_table()["head"].tolist() == ["logreg", "knn"]
    assert found.probes is not None
    assert len(found.probes_table()) == len(found.probes.scores)
    assert "random folds would have claimed" in str(found)


# Figures


@pytest.mark.slow
def test_figures_are_matplotlib_figures(comparison: Comparison) -> None:
    from matplotlib.figure import Figure

    figures = [
        comparison.plot_confusion(),
        comparison.plot_confusion("knn"),
        comparison.plot_recalls(),
        comparison.plot_reliability(),
        comparison.plot_reliability("dummy"),
        comparison.best.plot_confusion(),
        comparison.best.plot_recalls(),
        comparison.best.plot_reliability(),
    ]
    assert all(isinstance(figure, Figure) for figure in figures)
    assert "knn" in figures[1].axes[0].get_title(loc="left")
    assert figures[1]._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_figures_are_drawn_into_given_axes(comparison: Comparison) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4))
    left, right = figure.subplots(1, 2)
    assert comparison.plot_confusion("knn", ax=left) is figure
    assert comparison.plot_recalls(ax=right) is figure
    assert left.get_title(loc="left")
    assert right.get_legend() is not None
    figure.draw_without_rendering()


def test_learning_curves_are_drawn() -> None:
    found = learning_curves_on(prepare(build_clusters(n=90), SMALL), ["dummy"], {}, [0.5, 1])
    assert len(found.table()) == 2
    axes = found.plot().axes[0]
    assert axes.get_xlabel() == "training samples"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(n) for n in found.curves[0].n_train]
    assert repr(found).startswith("<LearningCurves of dummy on ")
    assert found.verdicts()[0] in str(found)
    assert found.verdicts()[0] in parsed(found._repr_html_()).text


def test_results_are_counted_and_iterated(comparison: Comparison) -> None:
    assert [result.head for result in comparison] == [result.head for result in comparison.results]
    assert len(comparison) == len(comparison.results)
    assert "dummy" in comparison
    assert "nearest" not in comparison
    assert "dummy" in comparison._ipython_key_completions_()


def test_reliability_is_drawn_into_given_axes(comparison: Comparison) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert comparison.plot_reliability("dummy", ax=left) is figure
    assert comparison.best.plot_reliability(ax=right) is figure
    assert left.get_title(loc="left").startswith("dummy")
    assert right.get_title(loc="left").startswith(comparison.best.head)


def test_array_of_axes_is_refused(comparison: Comparison) -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 2)
    for draw in (comparison.plot_recalls, comparison.best.plot_confusion, comparison.best.plot_reliability):
        with pytest.raises(ConfigError, match=r"ax: .*ndarray.*axes\[0\]"):
            draw(ax=axes)


def test_text_of_a_head_lists_its_classes(comparison: Comparison) -> None:
    lines = str(comparison.best).splitlines()
    assert comparison.best.score() in lines[0]
    assert len(lines) == 2 + len(comparison.classes)


def test_unknown_head_is_named(comparison: Comparison) -> None:
    for ask in (comparison.plot_confusion, comparison.plot_reliability, comparison.__getitem__):
        with pytest.raises(UnknownNameError, match=r"'logrge'.*did you mean 'logreg'"):
            ask("logrge")


@pytest.mark.slow
def test_matplotlib_is_loaded_when_something_is_drawn() -> None:
    import subprocess

    code = (
        "import sys; from tests.feature_fixtures import *; "
        "found = compare(build_clusters(n=60), ['dummy'], design=SMALL); repr(found); found._repr_html_(); "
        "print('matplotlib' in sys.modules); found.plot_recalls(); print('matplotlib' in sys.modules)"
    )
    root = Path(cellfeat.__file__).parent.parent
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert told.stdout.split() == ["False", "True"]


# Text and HTML


@pytest.mark.slow
def test_everything_is_short(comparison: Comparison, bundle: Bundle, held_out: Features, samples: Features) -> None:
    shown = {
        "Features": samples,
        "Samples": samples.samples,
        "Comparison": comparison,
        "HeadResult": comparison.best,
        "HeldOut": score_held_out(bundle, held_out, draws=100),
        "Audit": audit(build_clusters(n=90), design=Design(folds=3)),
        "Bundle": bundle,
        "Task": prepare(samples, SMALL),
        "Predictions": predict(bundle, held_out),
        "Scores": comparison.best.scores,
        "Hooks": cellfeat.Hooks(say=print),
        "Settings": cellfeat.load_settings(overrides={"comparison.folds": 3}),
    }
    for kind, value in shown.items():
        text = repr(value)
        assert kind in text
        assert len(text) < 200, text
        assert "\n" not in text
    assert repr(shown["Settings"]) == "Settings(comparison=ComparisonSettings(folds=3))"


@pytest.mark.slow
def test_html_escapes_names(evil: Comparison, comparison: Comparison, bundle: Bundle, held_out: Features) -> None:
    features = build_clusters(classes=EVIL)
    others = [bundle, score_held_out(bundle, held_out, draws=100), audit(features, design=Design(folds=3))]
    others += [predict(bundle, held_out)]
    for value in (evil, evil.best, comparison, features, *others):
        page = parsed(value._repr_html_())
        assert page.tags <= {"div", "p", "b", "br", "table", "tr", "th", "td"}
        assert page.attributes <= {"class", "colspan"}
    assert "<script>alert(1)</script>" in parsed(evil.best._repr_html_()).text


def test_html_begins_with_the_verdict(comparison: Comparison, bundle: Bundle, held_out: Features) -> None:
    assert f"<p><b>{comparison.summary_lines()[0]}</b>" in comparison._repr_html_()
    scored = score_held_out(bundle, held_out, draws=100)
    assert parsed(scored._repr_html_()).text.startswith(scored.verdict())
    assert "balanced accuracy" in parsed(bundle._repr_html_()).text[:40]


def test_hostile_names_cannot_control_a_terminal(hostile: Comparison) -> None:
    for text in (str(hostile), repr(hostile), hostile._repr_html_(), hostile.best._repr_html_()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert HOSTILE[0] in hostile.per_class_table()["class"].tolist()


def test_text_of_held_out_samples_names_what_was_excluded(bundle: Bundle, samples: Features) -> None:
    scored = score_held_out(bundle, samples, draws=100)
    assert f"{scored.n_seen:,} exact duplicates of training samples excluded" in str(scored)
    assert "excluded" in parsed(scored._repr_html_()).text


def test_predictions_are_counted_by_class(bundle: Bundle, held_out: Features) -> None:
    found = predict(bundle, held_out, min_probability=0.6)
    counts = dict(found.counts())
    assert sum(counts.values()) == len(held_out)
    assert counts.get("(abstained)", 0) == found.n_abstained
    assert str(found).count("\n") == len(counts)


def test_head_at_the_level_of_chance_is_named_in_python_too() -> None:
    guessing = compare(build_clusters(n=90, separation=0), ["logreg", "dummy"], design=SMALL)
    assert "no evidence that logreg does better than chance, 0.333" in str(guessing)
    assert "no evidence that logreg does better than chance" in guessing._repr_html_()


def test_given_folds_are_named_and_not_counted() -> None:
    features = build_clusters(n=90, separation=6)
    by_folds = compare(features, ["logreg"], design=Design(folds=np.arange(90) // 3 % 3, draws=100))
    assert "folds: column:folds" in str(by_folds)
