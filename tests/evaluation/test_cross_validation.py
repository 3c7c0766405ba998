from cellfeat.evaluation.design import Design
from cellfeat.evaluation.scoring.score import evaluate
from cellfeat.evaluation.task import prepare
from cellfeat.heads.registry import make_head


def test_predictions_are_out_of_fold(make_clusters):
    """One head on the training part of each fold, by hand, gives the same predictions."""
    task = prepare(make_clusters(), Design(folds=3, draws=100))
    table = evaluate(task, "logreg", {}).predictions
    X = task.embeddings.mean(axis=1)
    for number, fold in enumerate(task.folds, start=1):
        head = make_head("logreg", {}, n_views=1, random_state=0).fit(X[fold.train], task.y[fold.train])
        rows = table[table["fold"] == number]
        assert rows["sample_id"].tolist() == task.sample_id[fold.test].tolist()
        assert (rows["predicted"] == head.predict(X[fold.test])).all()
