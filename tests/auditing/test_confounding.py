import numpy as np
import pytest

from cellfeat.auditing.confounding import confounded


def details(make_features, label, **columns):
    return list(confounded(make_features(label, np.zeros((len(label), 1, 1)), columns=columns).samples))


@pytest.mark.parametrize(
    ("n_at_first_site", "sizes", "told"),
    [
        ({"a": 100, "b": 95}, {"a": 100, "b": 100}, []),
        ({"a": 90, "b": 90, "c": 2}, {"a": 100, "b": 100, "c": 2}, []),
        ({"a": 50, "b": 60, "c": 1}, {"a": 100, "b": 100, "c": 1}, []),
        ({"a": 100, "b": 30}, {"a": 100, "b": 100}, [("100% of a", "site A", "30% of the others")]),
        (
            {"a": 90, "b": 0},
            {"a": 100, "b": 100},
            [("90% of a", "site A", "0% of the others"), ("100% of b", "site B", "10% of the others")],
        ),
    ],
)
def test_class_is_confounded_only_with_what_the_others_mostly_lack(make_features, n_at_first_site, sizes, told):
    label = np.repeat(list(sizes), list(sizes.values()))
    site = np.concatenate([np.arange(size) >= n_at_first_site[name] for name, size in sizes.items()])
    found = details(make_features, label, site=np.where(site, "B", "A"))
    tied = [detail for detail in found if "Cramér" not in detail]
    assert len(tied) == len(told)
    assert all(noun in detail for detail, nouns in zip(tied, told, strict=True) for noun in nouns)


def test_column_that_predicts_the_class_is_named(make_features):
    label, plate = np.repeat(["a", "b"], 60), np.array([f"p{i % 4}" for i in range(120)])
    plate[:60] = "p9"
    *_, association = details(make_features, label, plate=plate)
    assert "plate" in association
    assert "Cramér's V 0.99" in association


def test_column_of_single_samples_groups_nothing(make_features):
    label = np.repeat(["a", "b"], 60)
    assert details(make_features, label, serial=np.array([f"n{i}" for i in range(120)])) == []
