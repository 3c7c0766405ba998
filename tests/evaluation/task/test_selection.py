"""Samples chosen by a predefined split, and classes that are left out."""

from dataclasses import replace

import numpy as np
import pytest

from cellfeat.config_sources import load_settings
from cellfeat.errors import ConfigError, SplitError, UnknownNameError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.task.task import prepare
from tests.feature_fixtures import SMALL, build_clusters, with_samples

WORDS = np.array(["train", "Training", "VAL", "test", "dev", "Testing"])


def with_split(features, values, column="part"):
    """Features that were extracted with a split."""
    settings = load_settings(overrides={"labels.split": column})
    made = replace(features, provenance={"settings": settings.record()})
    return with_samples(made, columns={column: np.asarray(values)})


@pytest.fixture
def split():
    """180 samples, of which a third is for training, a third for validation and a third for test."""
    return with_split(build_clusters(), WORDS[np.arange(180) // 3 % 6])


def prepared(features, **design):
    said = []
    return prepare(features, replace(SMALL, **design), say=said.append), said


def test_training_part_is_used_by_default(split):
    task, (line,) = prepared(split)
    assert task.counts.n_samples == 60
    assert task.counts.n_other_parts == 120
    assert set(split.samples.columns["part"][task.rows]) == {"train", "Training"}
    assert all(part in line for part in ("60 train", "60 val", "60 test"))


def test_parts_can_be_chosen(split):
    task, _ = prepared(split, parts=("train", "val"))
    assert task.counts.n_samples == 120
    assert task.design.parts == ("train", "val")
    assert prepared(split, parts=None)[0].counts.n_samples == 180


def test_without_a_split_all_samples_are_used():
    task, said = prepared(build_clusters())
    assert (task.counts.n_samples, task.design.parts, said) == (180, None, [])


def test_any_column_can_be_the_split(split):
    other = with_samples(split, columns={"part": split.samples.columns["part"], "mine": WORDS[np.arange(180) % 2 * 2]})
    assert prepared(other, split="mine")[0].counts.n_samples == 90
    with pytest.raises(UnknownNameError, match=r"labels\.split.*'parts'.*'part'"):
        prepared(other, split="parts")


def test_samples_in_no_part_are_left_out():
    values = np.where(np.arange(180) < 170, "train", "")
    task, (line,) = prepared(with_split(build_clusters(), values))
    assert task.counts.n_samples == 170
    assert "10 in no part" in line


def test_unknown_part_is_refused():
    with pytest.raises(ConfigError, match=r"'part'.*train.*'fold1'"):
        prepared(with_split(build_clusters(), np.where(np.arange(180) < 90, "train", "fold1")))


def test_missing_part_is_refused_with_counts():
    with pytest.raises(SplitError, match=r"part train .*180 test"):
        prepared(with_split(build_clusters(), np.full(180, "test")))


def test_groups_across_parts_are_counted(split):
    donor = np.array([f"d{i // 3}" for i in range(180)])
    donor[:9] = "shared"  # in training and validation
    samples = replace(split.samples, groups=donor)
    _, (_, line) = prepared(replace(split, samples=samples))
    assert all(part in line for part in ("1 of 19 groups", "6 train", "3 val"))


def test_copies_across_parts_are_counted(split):
    digests = split.samples.digests.copy()
    digests[11] = digests[0]  # a test sample with the pixels of a training sample
    _, (_, line) = prepared(with_samples(split, digests=digests))
    assert "1 of 60 groups" in line
    assert "1 train, 1 test" in line


def test_class_without_a_training_sample_is_named(split):
    label = split.samples.labels.copy()
    label[np.flatnonzero(split.samples.columns["part"] == "test")[:4]] = "z"
    task, said = prepared(with_samples(split, labels=label))
    assert "z" not in task.classes
    assert any("part train: z" in line for line in said)


def test_classes_can_be_left_out():
    features = build_clusters()
    features.samples.labels[:2] = "z"
    with pytest.raises(SplitError, match=r"'z' \(2 samples.*--folds 2.*comparison\.leave_out=\[\"z\"\]"):
        prepared(features)
    task, (line,) = prepared(features, leave_out=("z",))
    assert (task.classes, task.counts.n_samples, task.counts.n_left_out) == (("a", "b", "c"), 178, 2)
    assert "2 samples" in line
    with pytest.raises(UnknownNameError, match=r"leave_out.*'zz'.*'z'"):
        prepared(features, leave_out=("zz",))


def test_results_record_the_choice(split):
    said = []
    design = replace(SMALL, leave_out=("c",))
    found = compare(split, ["dummy"], design=design, hooks=Hooks(say=said.append)).record()
    assert found["design"]["parts"] == ("train",)
    assert found["design"]["leave_out"] == ("c",)
    assert (found["counts"]["n_other_parts"], found["counts"]["n_left_out"]) == (120, 20)
    plain = compare(build_clusters(), ["dummy"], design=SMALL).record()
    assert not {"parts", "leave_out", "split"} & plain["design"].keys()


def test_part_of_features_is_used_whole(split):
    test = split.part("test")
    assert len(test) == 60
    assert set(split.samples.columns["part"][np.isin(split.samples.ids, test.samples.ids)]) == {"test", "Testing"}
    task, said = prepared(test)
    assert (task.counts.n_samples, said) == (60, [])
    assert len(split.part("train", "val")) == 120


def test_part_needs_a_split_and_its_names(split):
    with pytest.raises(ConfigError, match=r"test\.h5.*no split.*labels\.split"):
        build_clusters().part("train")
    with pytest.raises(ConfigError, match=r"train, val, test.*'Train'"):
        split.part("Train")


def test_default_design_uses_the_training_part():
    assert Design().parts == ("train",)
