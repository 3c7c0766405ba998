"""Features by path, labels and groups in any form: the same results as features in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold

from cellfeat.auditing.audit import audit
from cellfeat.errors import ConfigError, HeadError, ManifestError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.evaluation.task.arguments import resolved
from cellfeat.extraction.store import Features
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import save_bundle
from tests.feature_fixtures import SMALL, build_clusters


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Features:
    """Features that are found under a path, as if they had been saved there."""
    features = build_clusters(n=90)
    monkeypatch.setattr(
        "cellfeat.extraction.store.reading.load_features",
        {"cells.h5": features, Path("cells.h5"): features}.__getitem__,
    )
    return features


def test_path_stands_for_features(stored: Features) -> None:
    assert resolved("cells.h5", None)[0] is stored
    assert resolved(stored, None)[0] is stored
    assert resolved(Path("cells.h5"), SMALL) == (stored, SMALL)
    by_path = compare("cells.h5", ["dummy"], design=SMALL)
    assert by_path.record()["heads"][0]["balanced_accuracy"] == pytest.approx(1 / 3)


def test_paths_stand_for_a_bundle_and_its_samples(
    bundle: Bundle, held_out: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bundle(bundle, tmp_path / "head")
    monkeypatch.setattr(
        "cellfeat.extraction.store.reading.load_features", {"new.h5": held_out, Path("new.h5"): held_out}.__getitem__
    )
    in_memory, by_path = predict(bundle, held_out), predict(tmp_path / "head", "new.h5")
    assert np.array_equal(in_memory.probabilities, by_path.probabilities)
    scored = score_held_out(str(tmp_path / "head"), Path("new.h5"), draws=100)
    assert scored.balanced_accuracy == score_held_out(bundle, held_out, draws=100).balanced_accuracy


def test_labels_in_any_form_give_the_same_comparison() -> None:
    features = build_clusters(n=90)
    labels = features.samples.labels.tolist()
    unlabelled = features.with_labels([""] * 90)
    forms = [labels, dict(zip(features.samples.ids.tolist(), labels, strict=True)), pd.Series(labels)]
    records = [compare(unlabelled, ["knn"], design=SMALL, labels=form).record() for form in forms]
    scores = {record["heads"][0]["balanced_accuracy"] for record in records}
    assert scores == {compare(features, ["knn"], design=SMALL).best.balanced_accuracy}


def test_groups_in_a_design_are_the_groups_of_the_samples() -> None:
    features = build_clusters(n=90)
    donors = np.arange(90) // 3 // 2
    by_design = compare(features, ["knn"], design=Design(folds=3, draws=100, groups=donors))
    by_features = compare(features.with_groups(donors), ["knn"], design=SMALL)
    assert by_design.counts.n_groups == 15
    assert by_design.provenance == by_features.provenance
    assert by_design.provenance.groups_digest is not None
    assert by_design.design.record()["groups"] == "auto"


@pytest.mark.slow
def test_audit_and_fit_keep_given_groups_together() -> None:
    both = build_clusters(n=150)
    features, new = both.take(np.arange(90)), both.take(np.arange(90, 150))
    design = Design(folds=3, draws=100, groups=(np.arange(90) // 6).tolist())
    assert len(set(audit(features, design=design).group.tolist())) == 15
    bundle, result = fit(features, "knn", design=design)
    assert result.counts.n_groups == 15
    told: list[str] = []
    score_held_out(bundle, new, draws=100, say=told.append)
    assert any("given in Python" in line for line in told)
    assert score_held_out(bundle, new, draws=100, groups=np.arange(60) // 6).counts.n_groups == 10


def test_design_is_short_whatever_its_groups() -> None:
    design = Design(folds=3, groups=["donor"] * 100_000)
    assert repr(design) == "Design(folds=3, groups='<100000 values>')"


@pytest.mark.parametrize("run", [compare, fit])
def test_table_in_the_place_of_features_is_named_before_anything_else(run) -> None:
    with pytest.raises(ConfigError, match=r"features: .*DataFrame.*from_arrays"):
        run(pd.DataFrame({"area": [1.0, 2.0]}), ["HeLa", "A549"])


def test_design_that_is_a_dict_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"design: .*dict.*Design\("):
        compare("no_such_file.h5", ["knn"], design={"folds": 3})


def test_fit_takes_one_head() -> None:
    with pytest.raises(HeadError, match="knn, logreg"):
        fit(build_clusters(n=90), ["knn", "logreg"])


def test_folds_may_be_given_as_values():
    features = build_clusters(n=60)
    fold = np.arange(60) % 3
    design = Design(folds=fold, draws=50)
    assert "60 values" in repr(design)
    found = compare(features, ["dummy"], design=design)
    table = found.best.predictions
    assert dict(zip(table["sample_id"], table["fold_name"], strict=True)) == dict(
        zip(features.samples.ids, fold.astype(str), strict=True)
    )
    by_id = pd.Series(fold, index=pd.Index(features.samples.ids, name="id"))
    again = compare(features, ["dummy"], design=Design(folds=by_id.sample(frac=1, random_state=0), draws=50))
    pd.testing.assert_frame_equal(again.best.predictions, table)


def test_folds_that_do_not_fit_are_refused_in_a_line():
    features = build_clusters(n=60)
    with pytest.raises(ManifestError, match="60") as error:
        compare(features, ["dummy"], design=Design(folds=np.arange(59)))
    assert len(str(error.value)) < 300
    with pytest.raises(ConfigError, match="StratifiedKFold"):
        compare(features, ["dummy"], design=Design(folds=StratifiedKFold(3)))


def test_folds_by_row_numbers_in_another_order_are_refused():
    features = Features.from_arrays(
        pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4))), labels=np.arange(60) % 2
    )
    fold = pd.Series(np.arange(60) % 3)
    with pytest.raises(ManifestError, match="another order"):
        compare(features, ["dummy"], design=Design(folds=fold.sample(frac=1, random_state=0), draws=50))
    compare(features, ["dummy"], design=Design(folds=fold, draws=50))
