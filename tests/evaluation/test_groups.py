import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from cellfeat.errors import SplitError, UnknownNameError
from cellfeat.evaluation.folds import grouped_folds
from cellfeat.evaluation.groups import count_copies, sample_groups


def features_of(make_features, *, label=None, **table):
    n = len(next(iter(table.values())))
    label = np.full(n, "a") if label is None else label
    return make_features(label, np.zeros((n, 1, 1)), **{name: np.array(column) for name, column in table.items()})


def test_auto_joins_samples_of_one_manifest_group(make_features):
    groups = sample_groups(features_of(make_features, group=["d1", "d2", "d1", "", ""]))
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 4


def test_auto_joins_equal_pixels_also_where_labels_differ(make_features):
    features = features_of(make_features, label=np.array(["a", "b", "a"]), pixel_digest=["x", "x", "y"])
    groups = sample_groups(features)
    assert groups[0] == groups[1] != groups[2]


def test_groups_that_share_pixels_are_joined_through_any_number_of_steps(make_features):
    features = features_of(
        make_features,
        group=["d1", "d1", "d2", "d2", "d3", "d4"],
        pixel_digest=["1", "x", "x", "y", "y", "6"],
    )
    groups = sample_groups(features)
    assert len(set(groups[:5].tolist())) == 1
    assert groups[5] != groups[0]


def test_samples_that_could_not_be_read_are_not_copies_of_each_other(make_features):
    features = features_of(make_features, pixel_digest=["", "", "x", "x"])
    assert sample_groups(features)[0] != sample_groups(features)[1]
    assert count_copies(features.samples.digests) == 1


def test_none_leaves_every_sample_alone(make_features):
    features = features_of(make_features, group=["d", "d", "d"], pixel_digest=["x", "x", "x"])
    assert sample_groups(features, "none").tolist() == [0, 1, 2]


def test_a_column_takes_the_place_of_the_manifest_groups_and_copies_still_join(make_features):
    features = make_features(
        np.full(4, "a"),
        np.zeros((4, 1, 1)),
        group=np.array(["d", "d", "d", "d"]),
        columns={"plate": np.array(["p1", "p1", "p2", "p3"])},
        pixel_digest=np.array(["1", "2", "x", "x"]),
    )
    groups = sample_groups(features, "plate")
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_an_unknown_column_names_the_near_one(make_features):
    features = make_features(np.full(2, "a"), np.zeros((2, 1, 1)), columns={"plate": np.array(["p", "q"])})
    with pytest.raises(UnknownNameError, match="did you mean 'plate'"):
        sample_groups(features, "plaet")


def test_labels_are_refused_as_groups(make_features):
    with pytest.raises(SplitError, match="each class would be one group"):
        sample_groups(features_of(make_features, group=["", ""]), "label")


def test_asking_for_manifest_groups_that_do_not_exist_is_an_error(make_features):
    with pytest.raises(SplitError, match="names no groups"):
        sample_groups(features_of(make_features, group=["", ""]), "group")


def told_of(features, groups, **arguments):
    told = []
    return sample_groups(features, str(groups), say=told.append, **arguments), told


@pytest.fixture
def four(make_features):
    """Four samples, of which one has no plate, and another no group."""
    return make_features(
        np.full(4, "a"),
        np.zeros((4, 1, 1)),
        group=np.array(["d", "d", "", "e"]),
        columns={"plate": np.array(["p", "", "p", "q"])},
    )


@pytest.mark.parametrize(("groups", "lacked"), [("plate", "plate"), ("auto", "group"), ("group", "group")])
def test_samples_without_a_group_are_counted_aloud(four, groups, lacked):
    _, told = told_of(four, groups)
    assert told == [f"groups: 1 of 4 samples have no {lacked}: each is a group of its own, with its copies"]


def test_only_the_samples_asked_about_are_counted(four):
    groups, told = told_of(four, "plate", rows=np.array([0, 2, 3]))
    assert told == []
    assert groups[0] == groups[1] != groups[2]


def test_nothing_is_missing_where_no_group_was_named_and_none_was_asked_for(make_features):
    features = features_of(make_features, pixel_digest=["1", "2"])
    assert told_of(features, "auto")[1] == told_of(features, "none")[1] == []


def written(folder, *rows):
    path = folder / "groups.csv"
    path.write_text("\n".join(["sample_id,group", *rows, ""]))
    return path


def test_a_table_that_gives_a_sample_two_groups_is_refused_with_the_rows(four, tmp_path):
    path = written(tmp_path, "s0,d", "s1,d", "", "s2,e", "s3,e", "s1,e", "s0,d")
    with pytest.raises(SplitError, match=r"several for 1: 's1' is in 'd' \(row 3\) and 'e' \(row 7\); keep one row"):
        sample_groups(four, str(path))


def test_a_table_may_repeat_itself(four, tmp_path):
    groups, told = told_of(four, written(tmp_path, "s0,d", "s1,d", "s2,e", "s3,e", "s1,d"))
    assert groups.tolist() == [0, 0, 1, 1]
    assert told == []


def test_samples_of_a_table_that_the_features_lack_are_named(four, tmp_path):
    path = written(tmp_path, "s0,d", "s1,d", "s2,e", "s3,", "s4,e", "s5,f")
    groups, told = told_of(four, path)
    assert groups.tolist() == [0, 0, 1, 2]
    assert told == [
        f"{path}: 2 of its 6 samples are not in features/test.h5: s4, s5; "
        "they are left out: make sure that the table is of these samples",
        f"groups: 1 of 4 samples have no group in {path}: each is a group of its own, with its copies",
    ]


@st.composite
def splittable(draw):
    """Labels and groups: mixed groups, and on top as many groups of one class as folds, so that a split exists."""
    n_folds = draw(st.integers(2, 5))
    n_classes = draw(st.integers(2, 4))
    mixed = draw(st.lists(st.tuples(st.integers(0, n_classes - 1), st.integers(0, 8)), max_size=60))
    alone = [(label, 100 + label * 10 + i) for label in range(n_classes) for i in range(n_folds + 2)]
    samples = draw(st.permutations(mixed + alone))
    return np.array([f"c{label}" for label, _ in samples]), np.array([group for _, group in samples]), n_folds


@given(splittable(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_folds_hold_their_promises(case, seed):
    y, groups, n_folds = case
    folds = grouped_folds(y, groups, n_folds, random_state=seed)
    again = grouped_folds(y, groups, n_folds, random_state=seed)
    assert len(folds) == n_folds
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(y)))
    for fold, same in zip(folds, again, strict=True):
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(y)))
        assert set(y[fold.test]) == set(y[fold.train]) == set(y)
        assert (fold.test == same.test).all()


def test_another_seed_gives_other_folds():
    y, groups = np.repeat(["a", "b"], 30), np.arange(60)
    first, second = (grouped_folds(y, groups, 3, random_state=seed)[0].test for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_class_shares_are_kept_in_every_fold():
    y = np.repeat(["a", "b", "c"], [100, 50, 10])
    for fold in grouped_folds(y, np.arange(160), 5):
        assert [np.count_nonzero(y[fold.test] == name) for name in "abc"] == [20, 10, 2]


def test_a_class_in_too_few_groups_is_named_with_its_numbers():
    y = np.array(["a"] * 10 + ["rare"] * 6)
    groups = np.array([*range(10), 10, 10, 10, 11, 11, 11])
    with pytest.raises(SplitError, match=r"'rare' \(6 samples in 2 groups\); ask for 2 folds at most"):
        grouped_folds(y, groups, 5)


def test_a_split_is_found_where_sklearns_greedy_one_misses_a_class():
    """Groups of several classes must go to folds of their own, which leaves one for the two groups of one class."""
    y = np.array(list("ab" * 3) + list("ab" * 3) + ["a"] * 3 + ["b"] * 3)
    groups = np.repeat([0, 1, 2, 3], [6, 6, 3, 3])
    for seed in range(5):
        greedy = StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(y, y, groups)
        assert any(len(set(y[test])) < 2 for _, test in greedy)
    for fold in grouped_folds(y, groups, 3):
        assert set(y[fold.test]) == {"a", "b"}


def test_classes_that_cannot_be_spread_are_an_error():
    """Three groups of two classes each: one of two folds gets one group, and so lacks a class."""
    y, groups = np.array(list("abbcca")), np.repeat([0, 1, 2], 2)
    with pytest.raises(SplitError, match="ask for fewer folds"):
        grouped_folds(y, groups, 2)


@pytest.mark.parametrize("n_folds", [-1, 0, 1])
def test_fewer_than_two_folds_are_refused(n_folds):
    with pytest.raises(SplitError, match="2 or more"):
        grouped_folds(np.repeat(["a", "b"], 5), np.arange(10), n_folds)


def test_a_single_class_is_refused():
    with pytest.raises(SplitError, match="two or more classes"):
        grouped_folds(np.full(10, "a"), np.arange(10), 2)
