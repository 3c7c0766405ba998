"""Heads and folds that cannot be: a clear refusal before any fold is fitted, and nothing lost."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cellfeat.evaluation.design import Design
from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    held_output,
    no_intensities,
    no_properties,
)
from cellfeat.heads.saved.bundle_files import save_bundle
from tests.heads.saved.fitted_bundles import fitted_bundle, plant

N_SAMPLES = 420


@pytest.fixture(scope="module")
def plated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of three classes on four plates, with wells of one sample each and other columns."""
    path = tmp_path_factory.mktemp("plated") / "cells.h5"
    rng = np.random.default_rng(0)
    codes = np.arange(N_SAMPLES) % 3
    embeddings = (2 * np.eye(4)[codes] + rng.normal(size=(N_SAMPLES, 4)))[:, np.newaxis].astype(np.float32)
    columns = {
        "plate": [f"P{i // 3 % 4}" for i in range(N_SAMPLES)],
        "well": [f"w{i}" for i in range(N_SAMPLES)],
        "run": ["first"] * N_SAMPLES,
        "set": ["train" if i % 2 else "val" for i in range(N_SAMPLES)],
        "only_test": ["test"] * (N_SAMPLES - 1) + ["val"],
        "line_by_plate": [f"P{i % 3}" for i in range(N_SAMPLES)],
    }
    recipe = {"backbone": {"name": "small"}, "passes": ["planes"], "views": 1, "precision": "fp32"}
    header = RunHeader(recipe, "sha256:samples", {}, N_SAMPLES, 1, 4, part_size=N_SAMPLES)
    digests = rng.integers(0, 256, (N_SAMPLES, 32), np.uint8)
    status = np.zeros(N_SAMPLES, np.uint8)
    with held_output(path):
        parts = PartStore(path, header)
        arrays = (embeddings, status, digests, no_properties(N_SAMPLES), no_intensities(N_SAMPLES))
        parts.write(Rows.from_arrays(0, arrays, {}))
        ids, labels = [f"s{i}" for i in range(N_SAMPLES)], np.array(["a", "b", "c"])[codes].tolist()
        parts.consolidate(SampleTable(ids, labels, [""] * N_SAMPLES, columns), {"settings": {}})
    return path


BAD = {
    "unknown estimator": (["--heads", "logreg,sklearn:RandomForrestClassifier"], "'sklearn:RandomForestClassifier'"),
    "lower case": (["--heads", "sklearn:svc"], "did you mean 'sklearn:SVC'"),
    "regressor": (["--heads", "sklearn:SVR"], "SVR of scikit-learn is not a classifier"),
    "function": (["--heads", "sklearn:os.system"], r"'sklearn:os\.system'.*list of classifiers"),
    "module path": (["--heads", "sklearn:sklearn.svm.SVC"], "without a module"),
    "other package": (["--heads", "torch:nn"], "no head is named 'torch:nn'"),
    "no name": (["--heads", "sklearn:"], "sklearn:"),
    "bad parameter": (["--heads", "sklearn:SVC", "--set", "sklearn:SVC.CC=1"], "'CC'.*did you mean 'C'"),
    "bad value": (["--heads", "sklearn:SVC", "--set", "sklearn:SVC.C=-1"], "'C' parameter of SVC"),
    "bad type": (["--heads", "sklearn:SVC", "--set", "sklearn:SVC.C=[1, 2]"], "'C' parameter of SVC"),
    "setting of an unknown estimator": (["--set", "sklearn:SVK.C=1"], "did you mean 'sklearn:SVC'"),
    "setting of the seed": (["--heads", "sklearn:SVC", "--set", "sklearn:SVC.random_state=1"], "random_state"),
    "no base": (["--heads", "sklearn:StackingClassifier"], r"needs other estimators \(estimators\)"),
    "no base to fit": (["--heads", "sklearn:SelfTrainingClassifier"], r"needs other estimators \(estimator\)"),
    "twice": (["--heads", "sklearn:SVC,sklearn:SVC"], "each name once"),
    "all heads fail": (["--heads", "sklearn:MultinomialNB"], "no head could be evaluated.*Negative values"),
    "unknown folds": (["--folds", "leave-two-out"], r"comparison\.folds.*leave-one-out.*'leave-two-out'"),
    "one fold": (["--folds", "1"], r"comparison\.folds.*'1'"),
    "column without a name": (["--folds", "column:"], "column:NAME"),
    "unknown column": (["--folds", "column:plates"], "did you mean 'plate'"),
    "column of labels": (["--folds", "column:label"], "'label'"),
    "column with one value": (["--folds", "column:run"], "'first'.*another column"),
    "column of wells": (["--folds", "column:well"], "420 values.*420 times"),
    "split without training": (["--folds", "column:only_test"], "no sample in the part train"),
    "leave out nothing": (["--folds", "leave-one-out"], "--groups.*plate"),
    "leave out every well": (["--folds", "leave-one-out", "--groups", "well"], "420 times.*--groups plate"),
    "leave out labels": (["--folds", "leave-one-out", "--groups", "label"], "label"),
    "leave out an unknown column": (["--folds", "leave-one-out", "--groups", "plat"], "did you mean 'plate'"),
    "class on one plate": (["--folds", "leave-one-out", "--groups", "line_by_plate"], "one group of line_by_plate"),
}


@pytest.mark.parametrize("name", BAD)
def test_heads_and_folds_that_cannot_be_are_refused(name, plated, inside, cli):
    arguments, message = BAD[name]
    heads = [] if "--heads" in arguments else ["--heads", "dummy"]
    ending = cli("compare", "--features", plated, "--output", "results", *heads, *arguments)
    ending.is_refusal(message)
    assert not (inside / "results" / "comparison.json").exists()


def test_repeats_of_given_folds_are_wrong_usage(plated, inside, cli):
    folds = ("--folds", "leave-one-out", "--groups", "plate", "--repeats", "3")
    ending = cli("compare", "--features", plated, "--heads", "dummy", *folds)
    assert ending.code == 2
    assert "--repeats" in ending.err


@pytest.mark.slow
def test_failed_classifier_costs_the_others_nothing(plated, inside, cli):
    heads = "dummy,sklearn:MultinomialNB,sklearn:RadiusNeighborsClassifier,sklearn:GaussianNB"
    ending = cli(
        "compare", "--features", plated, "--heads", heads, "--set", "sklearn:RadiusNeighborsClassifier.radius=1e-9"
    )
    assert ending.code == 0
    assert "MultinomialNB" in ending.out
    assert "No neighbors found" in ending.out
    assert "sklearn:GaussianNB is better than dummy" in ending.out
    assert (inside / "results" / "cells" / "metrics_sklearn_GaussianNB.json").exists()


@pytest.mark.slow
def test_earlier_classifiers_leave_no_files_behind(plated, inside, cli):
    for heads in ("dummy,sklearn:GaussianNB", "dummy"):
        assert cli("compare", "--features", plated, "--heads", heads).code == 0
    assert not (inside / "results" / "cells" / "metrics_sklearn_GaussianNB.json").exists()


@pytest.mark.slow
def test_without_skops_scores_are_kept_and_the_head_is_not_saved(plated, inside, cli, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skops.io", None)
    ending = cli("fit", "--features", plated, "--head", "sklearn:GaussianNB")
    ending.is_refusal(r"not saved.*cellfeat\[skops\]")
    assert (inside / "results" / "cells" / "sklearn_GaussianNB_not_saved" / "metrics.json").exists()
    assert not (inside / "results" / "cells" / "sklearn_GaussianNB").exists()


@pytest.mark.parametrize("command", ["predict", "verify"])
def test_saved_estimator_of_another_file_is_refused(command, plated, inside, cli):
    pytest.importorskip("skops")
    save_bundle(fitted_bundle("sklearn:SVC"), inside / "head")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("schema.json", "{}")
    plant(inside / "head", "estimator.skops", content.getvalue())
    arguments = ("predict", "--model", "head", "--features", plated) if command == "predict" else ("verify", "head")
    cli(*arguments).is_refusal("saved estimator cannot be read")


def test_design_takes_the_same_words_in_python():
    assert Design("leave-one-out").n_folds == 5
