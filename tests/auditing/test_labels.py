from types import SimpleNamespace

import numpy as np

from cellfeat.auditing.labels import label_conflicts, rare_classes, suspicious_labels


def test_conflicts_name_both_labels_and_ignore_unlabelled_samples(make_features):
    samples = make_features(np.array(["a", "b", "a", ""]), np.zeros((4, 1, 1))).samples
    (conflict,) = label_conflicts(samples, dict.fromkeys([(0, 1), (0, 2), (0, 3)]))
    assert (conflict.sample_id, conflict.partner, conflict.finding) == ("s1", "s0", "label conflict")
    assert conflict.detail == "s1 is labelled b, s0 a"


def test_only_labels_that_a_head_is_sure_against_are_suspicious():
    task = SimpleNamespace(y=np.array(list("aaaa")), classes=("a", "b"), sample_id=np.array(list("wxyz")))
    probabilities = np.array([[0.005, 0.995], [0.002, 0.998], [0.2, 0.8], [0.05, 0.95]])
    first, second = suspicious_labels(task, probabilities)
    assert (first.sample_id, second.sample_id) == ("x", "w"), "the most confident first"
    assert all(noun in first.detail for noun in ("labelled a", "0.002", "b", "0.998"))


def test_rare_classes_give_both_numbers():
    (rare,) = rare_classes(np.repeat(["a", "b", "c", ""], [60, 6, 5, 3]))
    assert (rare.sample_id, rare.finding) == ("", "rare class")
    assert all(noun in rare.detail for noun in ("c", "5", "60"))
