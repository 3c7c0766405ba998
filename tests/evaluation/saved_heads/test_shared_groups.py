import numpy as np

from cellfeat.evaluation.saved_heads.groups_as_fitted import shared_groups_sentence


def test_groups_of_training_samples_are_counted():
    held_out, fitted = np.array(["d1", "d1", "d2", "d3", ""]), np.array(["d3", "d1", "d9", ""])
    sentence = shared_groups_sentence(held_out, fitted)
    assert "2 of 3 groups" in sentence
    assert "training samples" in sentence


def test_samples_without_groups_share_none():
    assert shared_groups_sentence(np.array(["", "d1"]), np.array(["", "d2"])) == ""
