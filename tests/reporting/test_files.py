import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pyarrow
import pytest

from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.learning_curve import learning_curves
from cellfeat.evaluation.repeats import summarise
from cellfeat.evaluation.task import prepare
from cellfeat.provenance import digest_file, digest_json, versions
from cellfeat.reporting.files import write_curves, write_head_report, write_repeats, write_report
from tests.feature_fixtures import with_samples


def test_the_report_is_complete_and_can_be_computed_again(comparison, tmp_path):
    files = write_report(comparison, tmp_path / "new" / "report")
    assert all(file.stat().st_size for file in files)
    assert sorted(file.name for file in (tmp_path / "new" / "report").iterdir()) == sorted(file.name for file in files)
    table = pd.read_parquet(tmp_path / "new" / "report" / "predictions.parquet")
    pd.testing.assert_frame_equal(table, comparison.predictions(), check_dtype=False)
    record = json.loads((tmp_path / "new" / "report" / "comparison.json").read_text(encoding="utf-8"))
    assert [pair["verdict"] for pair in record["differences"]] == comparison.verdicts()
    for metrics in record["heads"]:
        rows = table[table["head"] == metrics["head"]]
        recalls = [(rows["predicted"] == rows["label"])[rows["label"] == name].mean() for name in "abc"]
        assert np.mean(recalls) == pytest.approx(metrics["balanced_accuracy"])
        alone = tmp_path / "new" / "report" / f"metrics_{metrics['head']}.json"
        assert json.loads(alone.read_text(encoding="utf-8")) == metrics


def test_hostile_names_can_be_drawn_and_written(hostile, tmp_path):
    files = write_report(hostile, tmp_path)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files if file.suffix == ".png")


@pytest.fixture
def with_groups(make_clusters, tmp_path):
    """Features, and a table of groups."""
    features, path = make_clusters(), tmp_path / "mine.csv"
    path.write_text("sample_id,group\n" + "".join(f"{name},g{i % 60}\n" for i, name in enumerate(features.samples.ids)))
    return features, path


def test_every_record_says_what_it_is_of(with_groups, tmp_path):
    features, path = with_groups
    design = {"folds": 3, "draws": 50, "groups": str(path)}
    expected = {
        "features": "test.h5",
        "fingerprint": "sha256:test",
        "n_samples": 180,
        "samples_digest": digest_json(
            [features.samples.ids.tolist(), features.samples.digests.tolist(), features.samples.labels.tolist()]
        ),
        "groups": "mine.csv",
        "groups_digest": digest_file(path),
        "random_state": 7,
        "cellfeat": versions()["cellfeat"],
    }
    found = [compare(features, ["dummy"], design=Design(random_state=seed, **design)) for seed in (7, 8)]
    curves = learning_curves(prepare(features, Design(random_state=7, **design)), ["dummy"], {}, [0.5, 1])
    write_report(found[0], tmp_path / "results")
    write_repeats(summarise(found), tmp_path / "results")
    write_curves(curves, tmp_path / "results")
    write_head_report(found[0].best, tmp_path / "results" / "dummy")
    records = {
        file.name: json.loads(file.read_text(encoding="utf-8")) for file in (tmp_path / "results").rglob("*.json")
    }
    assert sorted(records) == [
        "comparison.json", "learning_curve.json", "metrics.json", "metrics_dummy.json", "repeats.json",
    ]  # fmt: skip
    for record in records.values():
        assert record["provenance"] == expected


def test_other_labels_other_pixels_and_fewer_samples_are_other_samples(make_clusters):
    features = make_clusters()
    labels = dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))
    first, second = features.samples.ids[:2].tolist()
    swapped = labels | {first: labels[second], second: labels[first]}
    redrawn = with_samples(features, digests=np.array(["f" * 64, *features.samples.digests[1:]]))
    asked = [(features, labels), (features, swapped), (features, labels | {first: ""}), (redrawn, labels)]
    assert labels[first] != labels[second]
    design = Design(folds=3, draws=50)
    digests = [prepare(data, design, labels=given).provenance.samples_digest for data, given in asked]
    assert len(set(digests)) == 4
    assert prepare(features, design).provenance.samples_digest == digests[0]


@pytest.mark.parametrize("groups", ["auto", "none", "plate"])
def test_groups_that_no_table_names_have_no_digest(make_clusters, groups):
    features = with_samples(make_clusters(), columns={"plate": np.array([f"p{i // 3}" for i in range(180)])})
    provenance = asdict(compare(features, ["dummy"], design=Design(folds=3, draws=50, groups=groups)).provenance)
    assert (provenance["groups"], provenance["groups_digest"]) == (groups, None)


def test_what_an_earlier_comparison_left_is_removed_and_nothing_else(comparison, tmp_path):
    own = ["confusion_mlp.png", "metrics_mlp.json", "repeats.json", "learning_curve.csv", "learning_curve.png"]
    foreign = ["confusion_final.png", "metrics_mlp.txt", "notes.json", "dummy/metrics_mlp.json", ".cache/repeats.json"]
    for name in (*own, *foreign):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("earlier")
    (tmp_path / "learning_curve.json").mkdir()
    told = []
    files = write_report(comparison, tmp_path, say=told.append)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*foreign, *(file.name for file in files)}
    assert all((tmp_path / name).read_text() == "earlier" for name in foreign)
    assert (tmp_path / "learning_curve.json").is_dir()
    (line,) = told
    assert set(line.partition("had left: ")[2].split(", ")) == set(own)
    write_report(comparison, tmp_path, say=told.append)
    assert len(told) == 1


def test_a_report_that_cannot_be_written_leaves_the_earlier_one(comparison, tmp_path):
    write_report(comparison, tmp_path)
    (tmp_path / "repeats.json").write_text("earlier")
    earlier = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    unwritable = comparison.best.predictions.assign(more=[object()] * len(comparison.best.predictions))
    broken = replace(comparison, results=(replace(comparison.best, predictions=unwritable),))
    with pytest.raises(pyarrow.ArrowException):
        write_report(broken, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == earlier
