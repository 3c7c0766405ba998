import numpy as np
import pytest

from cellfeat.errors import ManifestError
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from tests.feature_fixtures import part


def refused(bundle, features, match):
    with pytest.raises(ManifestError, match=match):
        score_held_out(bundle, features)


def test_samples_without_labels(bundle, held_out):
    held_out.samples.labels[:] = ""
    refused(bundle, held_out, r"test\.h5.*no sample has a label")


def test_unknown_label(bundle, held_out):
    held_out.samples.labels[0] = "A"
    refused(bundle, held_out, r"test\.h5.*does not know: A;.* a, b, c.*leave_out=\[\"A\"\]")
    assert score_held_out(bundle, held_out, leave_out=["A"]).counts.n_left_out == 1


def test_unknown_label_of_a_training_sample(bundle, samples):
    late = part(samples, slice(180, None))
    late.samples.labels[0] = "z"
    refused(bundle, late, "does not know: z;")


def test_training_samples_only(bundle, samples):
    refused(bundle, part(samples, slice(100)), "all of these 100 samples are training samples")
    half = part(samples, slice(100))
    half.samples.labels[50:] = ""
    refused(bundle, half, "all of these 50 samples are training samples")


def test_labelled_samples_that_could_not_be_read(bundle, held_out):
    held_out.samples.status[:] = 1
    refused(bundle, held_out, "none of the labelled samples could be read")


def test_class_of_a_single_group(bundle, held_out):
    rows = np.flatnonzero(held_out.samples.labels == "b")
    held_out.samples.labels[rows[1:]] = ""
    refused(bundle, held_out, r"single group is left of b.*leave_out=\[\"b\"\]")
    assert score_held_out(bundle, held_out, leave_out=["b"]).absent == ("b",)


def test_samples_of_a_single_plate(bundle, held_out):
    one_plate = held_out.with_groups(np.full(len(held_out), "P9"))
    refused(bundle, one_plate, r"one group.*--groups none")
    assert score_held_out(bundle, one_plate, groups="none").balanced_accuracy > 0
