"""The keys of the JSON files: programs read them, so they stay those of version 0.1."""

import json
from dataclasses import asdict, replace

import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.comparison.repeats import summarise
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.learning_curves.learning_curves import learning_curves_on
from cellfeat.evaluation.results.head_results import HeadFailure
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.task.task import prepare
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle
from cellfeat.provenance import digest_file, digest_json, versions
from cellfeat.reporting.files import write_curves, write_further, write_head_report, write_held_out, write_report
from tests.feature_fixtures import N_FITTED, build_clusters, part

HEADING = ["format", "created", "versions"]
PROVENANCE = [
    "provenance.features", "provenance.fingerprint", "provenance.n_samples", "provenance.samples_digest",
    "provenance.groups", "provenance.groups_digest", "provenance.random_state", "provenance.cellfeat",
]  # fmt: skip
COUNTS = ["n_samples", "n_groups", "n_copies", "n_unlabelled", "n_failed", "near_copies_joined"]
DESIGN = ["folds", "groups", "random_state", "draws", "calibrate", "tune"]
DIFFERENCES = [
    "differences[].better", "differences[].worse", "differences[].difference.estimate",
    "differences[].difference.low", "differences[].difference.high", "differences[].difference.p_value",
    "differences[].adjusted_p", "differences[].verdict",
]  # fmt: skip
SCORES = [
    "head", "balanced_accuracy", "ci_low", "ci_high", "ci_level", "classes", "per_class_recall",
    "per_class_recall_ci", "macro_f1", "confusion_matrix", "temperature", "log_loss", "calibration_error",
    "abstaining[].min_probability", "abstaining[].kept", "abstaining[].accuracy", "reliability",
    "log_loss_uncalibrated", "calibration_error_uncalibrated", "reliability_uncalibrated",
    "prediction_sets.coverage", "prediction_sets.mean_size", "prediction_sets.one", "prediction_sets.several",
    "prediction_sets.none", "prediction_sets.per_class_coverage", "prediction_sets.unlimited",
]  # fmt: skip
METRICS = [
    *SCORES, *PROVENANCE, *COUNTS, *DESIGN, "per_fold", "prediction_sets.per_class_coverage_per_fold", "seconds.fit",
    "seconds.predict", "seconds.tune", "settings",
]  # fmt: skip
CLAIMS = [f"claims[].{key}" for key in ("claim", "about", "ci_low", "ci_high")]
AS_FITTED = [f"differences[].as_fitted.{key}" for key in ("estimate", "low", "high", "p_value")]
EXPECTED = [f"out_of_fold.expected.{key}" for key in ("balanced_accuracy", "ci_low", "ci_high", "about")]
TUNING = [
    "tuning.inner_folds", "tuning.n_candidates", "tuning.per_fold[].settings", "tuning.per_fold[].score",
    "tuning.per_fold[].given_score", "tuning.per_fold[].failures", "tuning.final",
]  # fmt: skip
APART = (
    "n_compared", "n_training_samples", "level", "n_apart", "set_p_value", "set_is_apart", "test", "claim",
)  # fmt: skip
KEYS = {
    "comparison.json": [
        *HEADING, *PROVENANCE, "classes", *(f"counts.{key}" for key in COUNTS), *(f"design.{key}" for key in DESIGN),
        *(f"heads[].{key}" for key in (*METRICS, *CLAIMS, "tuning")), "failures[].head", "failures[].reason",
        *DIFFERENCES, *AS_FITTED,
    ],
    "metrics_knn.json": [*METRICS, *CLAIMS, "tuning"],
    "fitted/metrics.json": [*METRICS, *CLAIMS, *TUNING],
    "scored/metrics.json": [
        *HEADING, *SCORES, *PROVENANCE, *COUNTS, "groups", "random_state", "draws", "calibrate", "fitted.on",
        "fitted.n_samples", "fitted.at", "fitted.versions", "n_seen", "n_near_copies", "balanced_accuracy_with_all",
        "out_of_fold.balanced_accuracy", "out_of_fold.ci_low", "out_of_fold.ci_high", "out_of_fold.difference",
        "out_of_fold.difference_ci_low", "out_of_fold.difference_ci_high", "out_of_fold.verdict", "unlike_fitted",
        *(f"apart.{name}" for name in APART), *CLAIMS, *EXPECTED,
    ],
    "learning_curve.json": [
        *HEADING, *PROVENANCE, "curves[].head", "curves[].points[].fraction", "curves[].points[].n_train",
        "curves[].points[].balanced_accuracy", "curves[].points[].ci_low", "curves[].points[].ci_high",
        "curves[].gain.estimate", "curves[].gain.low", "curves[].gain.high", "curves[].gain.p_value",
        "curves[].verdict", "failures[].head", "failures[].reason",
    ],
    "repeats.json": [
        *HEADING, *PROVENANCE, "folds", "seeds", "scores[].head", "scores[].mean", "scores[].spread", *DIFFERENCES,
        "failures[].head", "failures[].seeds", "failures[].reason",
    ],
}  # fmt: skip

OPEN = ("settings", "versions", "final")
"""Mappings whose keys are names of libraries or of a head's parameters."""


def keys_of(value, path=""):
    """Dotted keys of a record; ``[]`` stands for the elements of a list of records."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        keys = {key for element in value for key in keys_of(element, f"{path}[]")}
        return {key for key in keys if not any(other.startswith(f"{key}[]") for other in keys)}  # a list may be empty
    if not isinstance(value, dict) or path.split(".")[-1] in OPEN:
        return {path}
    return {key for name, inner in value.items() for key in keys_of(inner, f"{path}.{name}" if path else name)}


FAILURE = HeadFailure("mlp", "mlp failed")


@pytest.fixture(scope="module")
def features():
    return build_clusters()


@pytest.fixture(scope="module")
def groups(features, tmp_path_factory):
    """A table of groups."""
    path = tmp_path_factory.mktemp("groups") / "mine.csv"
    path.write_text("sample_id,group\n" + "".join(f"{name},g{i % 60}\n" for i, name in enumerate(features.samples.ids)))
    return path


@pytest.fixture(scope="module")
def records(features, groups, tmp_path_factory):
    """The content of every JSON file, by its path in the folder of results."""
    folder = tmp_path_factory.mktemp("results")
    designs = [Design(folds=3, draws=100, groups=str(groups), random_state=seed) for seed in (7, 8)]
    heads = ["knn", "dummy"]
    found = [replace(compare(features, heads, design=design), failures=(FAILURE,)) for design in designs]
    write_report(found[0], folder)
    write_further(summarise(found), folder)
    curves = learning_curves_on(prepare(features, designs[0]), ["dummy"], {}, [0.5, 1])
    write_curves(replace(curves, failures=(FAILURE,)), folder)
    _, fitted = fit(features, "knn", design=replace(designs[0], tune=3))
    write_head_report(fitted, folder / "fitted")
    late = build_clusters(n=420, separation=0.9)
    saved, _ = fit(part(late, slice(N_FITTED)), "knn", design=Design(folds=3, draws=100))
    save_bundle(saved, folder / "saved")
    scored = score_held_out(load_bundle(folder / "saved"), part(late, slice(N_FITTED, None)), draws=100)
    write_held_out(scored, folder / "scored")
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.json")
    }


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_those_of_version_0_1(records, name):
    assert sorted(keys_of(records[name])) == sorted(set(KEYS[name]))


@pytest.mark.parametrize("name", [name for name in KEYS if name != "scored/metrics.json"])
def test_provenance_identifies_samples_groups_and_version(records, features, groups, name):
    samples = features.samples
    assert records[name]["provenance"] == {
        "features": "test.h5",
        "fingerprint": "sha256:test",
        "n_samples": 180,
        "samples_digest": digest_json([samples.ids.tolist(), samples.digests.tolist(), samples.labels.tolist()]),
        "groups": "mine.csv",
        "groups_digest": digest_file(groups),
        "random_state": 7,
        "cellfeat": versions()["cellfeat"],
    }


def test_record_of_a_held_out_score_names_its_samples_and_those_of_the_fit(records):
    record = records["scored/metrics.json"]
    assert (record["provenance"]["n_samples"], record["fitted"]["n_samples"]) == (180, N_FITTED)
    assert record["format"] == 1


def test_failures_are_recorded(records):
    assert records["comparison.json"]["failures"] == records["learning_curve.json"]["failures"] == [asdict(FAILURE)]
    assert records["repeats.json"]["failures"] == [{"head": "mlp", "seeds": [7, 8], "reason": "mlp failed"}]
