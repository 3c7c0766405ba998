import json

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.relabelling.changes import Change, Relabelling
from cellfeat.page.report.relabelling import relabelling_of_record
from tests.feature_fixtures import build_clusters


def test_overview_gets_the_scores_of_both_labellings():
    features = build_clusters(n=120)
    before = dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))
    change = Change("s0", before["s0"], "b" if before["s0"] != "b" else "c", is_seen=True)
    labels = Relabelling(before | {"s0": change.label}, before, [change])
    comparison = compare(features, ["logreg"], design=Design(folds=3, draws=100), labels=labels)
    found = relabelling_of_record(json.loads(json.dumps(comparison.record())))
    (head,) = found["heads"]
    assert (head["head"], head["all"]["nSamples"], head["unseen"]["nSamples"]) == ("logreg", 120, 119)
    assert head["all"]["new"]["score"] == comparison.best.balanced_accuracy
    assert found["sentences"]


def test_overview_of_a_plain_comparison_has_none():
    assert relabelling_of_record({"heads": []}) is None
