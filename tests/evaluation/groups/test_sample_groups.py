import numpy as np
import pytest

from cellfeat.errors import MissingFileError, SplitError, UnknownNameError
from cellfeat.evaluation.groups.sample_groups import count_copies, sample_groups


def features_of(make_features, *, label=None, **table):
    n = len(next(iter(table.values())))
    label = np.full(n, "a") if label is None else label
    return make_features(label, np.zeros((n, 1, 1)), **{name: np.array(column) for name, column in table.items()})


def test_auto_joins_samples_of_one_manifest_group(make_features):
    groups = sample_groups(features_of(make_features, group=["d1", "d2", "d1", "", ""]))
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 4


def test_auto_joins_equal_pixels_despite_different_labels(make_features):
    features = features_of(make_features, label=np.array(["a", "b", "a"]), pixel_digest=["x", "x", "y"])
    groups = sample_groups(features)
    assert groups[0] == groups[1] != groups[2]


def test_groups_that_share_pixels_are_joined_transitively(make_features):
    features = features_of(
        make_features,
        group=["d1", "d1", "d2", "d2", "d3", "d4"],
        pixel_digest=["1", "x", "x", "y", "y", "6"],
    )
    groups = sample_groups(features)
    assert len(set(groups[:5].tolist())) == 1
    assert groups[5] != groups[0]


def test_unreadable_samples_are_not_copies_of_each_other(make_features):
    features = features_of(make_features, pixel_digest=["", "", "x", "x"])
    assert sample_groups(features)[0] != sample_groups(features)[1]
    assert count_copies(features.samples.digests) == 1


def test_none_leaves_every_sample_alone(make_features):
    features = features_of(make_features, group=["d", "d", "d"], pixel_digest=["x", "x", "x"])
    assert sample_groups(features, "none").tolist() == [0, 1, 2]


def test_column_replaces_manifest_groups_and_copies_still_join(make_features):
    features = make_features(
        np.full(4, "a"),
        np.zeros((4, 1, 1)),
        group=np.array(["d", "d", "d", "d"]),
        columns={"plate": np.array(["p1", "p1", "p2", "p3"])},
        pixel_digest=np.array(["1", "2", "x", "x"]),
    )
    groups = sample_groups(features, "plate")
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_unknown_column_suggests_the_nearest(make_features):
    features = make_features(np.full(2, "a"), np.zeros((2, 1, 1)), columns={"plate": np.array(["p", "q"])})
    with pytest.raises(UnknownNameError, match=r"'plaet'.*'plate'"):
        sample_groups(features, "plaet")


@pytest.mark.parametrize(("groups", "noun"), [("label", "'label'"), ("group", "labels.group")])
def test_groups_that_cannot_be_are_refused(make_features, groups, noun):
    with pytest.raises(SplitError, match=noun):
        sample_groups(features_of(make_features, group=["", ""]), groups)


def groups_and_remarks(features, groups, **arguments):
    said = []
    return sample_groups(features, str(groups), say=said.append, **arguments), said


@pytest.fixture
def four(make_features):
    """Four samples, of which one has no plate, and another no group."""
    return make_features(
        np.full(4, "a"),
        np.zeros((4, 1, 1)),
        group=np.array(["d", "d", "", "e"]),
        columns={"plate": np.array(["p", "", "p", "q"])},
    )


@pytest.mark.parametrize(("groups", "missing"), [("plate", "plate"), ("auto", "group"), ("group", "group")])
def test_samples_without_a_group_are_counted(four, groups, missing):
    _, (line,) = groups_and_remarks(four, groups)
    assert "1 of 4 samples" in line
    assert f"no {missing}" in line


def test_only_the_rows_asked_for_are_counted(four):
    groups, said = groups_and_remarks(four, "plate", rows=np.array([0, 2, 3]))
    assert said == []
    assert groups[0] == groups[1] != groups[2]


def test_nothing_is_said_where_no_group_was_asked_for(make_features):
    features = features_of(make_features, pixel_digest=["1", "2"])
    assert groups_and_remarks(features, "auto")[1] == groups_and_remarks(features, "none")[1] == []


@pytest.fixture
def written(tmp_path):
    """Write a table of groups."""

    def write(*rows, heading="sample_id,group"):
        path = tmp_path / "groups.csv"
        path.write_text("\n".join([heading, *rows, ""]))
        return path

    return write


def test_table_with_two_groups_of_a_sample_is_refused(four, written):
    path = written("s0,d", "s1,d", "", "s2,e", "s3,e", "s1,e", "s0,d")
    with pytest.raises(SplitError, match=r"groups\.csv.*'s1'.*'d' \(row 3\).*'e' \(row 7\)"):
        sample_groups(four, str(path))


def test_table_may_repeat_a_row(four, written):
    groups, said = groups_and_remarks(four, written("s0,d", "s1,d", "s2,e", "s3,e", "s1,d"))
    assert groups.tolist() == [0, 0, 1, 1]
    assert said == []


@pytest.mark.parametrize("word", ["NA", "nan", "None", "NULL", "#N/A"])
def test_words_for_missing_values_are_no_group(four, written, word):
    groups, (words, missing) = groups_and_remarks(four, written("s0,d", f"s1,{word}", f"s2,{word}", "s3,d"))
    assert groups.tolist() == [0, 1, 2, 0]
    assert all(noun in words for noun in ("2 groups", "groups.csv", repr(word)))
    assert "2 of 4 samples" in missing


def test_group_named_after_a_sample_is_kept(four, written):
    groups, _ = groups_and_remarks(four, written("s0,NA", "s1,NA", "s2,e", "s3,e", "NA,NA"))
    assert groups.tolist() == [0, 0, 1, 1]


def test_samples_of_a_table_that_the_features_lack_are_named(four, written):
    path = written("s0,d", "s1,d", "s2,e", "s3,", "s4,e", "s5,f")
    groups, (foreign, missing) = groups_and_remarks(four, path)
    assert groups.tolist() == [0, 0, 1, 2]
    assert all(noun in foreign for noun in (str(path), "2 of its 6", "features/test.h5", "s4, s5"))
    assert all(noun in missing for noun in (str(path), "1 of 4 samples"))


def test_table_with_other_columns_is_refused(four, written):
    with pytest.raises(SplitError, match=r"groups\.csv.*sample_id and group.*id, donor"):
        sample_groups(four, str(written("s0,a", heading="id,donor")))


def test_table_without_some_samples_is_refused(four, written):
    with pytest.raises(SplitError, match=r"groups\.csv.* 3 samples of .*: s1, s2, s3"):
        sample_groups(four, str(written("s0,a")))


def test_empty_or_missing_table_is_refused(four, tmp_path):
    path = tmp_path / "groups.csv"
    with pytest.raises(MissingFileError, match=r"groups\.csv"):
        sample_groups(four, str(path))
    path.touch()
    with pytest.raises(SplitError, match=r"groups\.csv"):
        sample_groups(four, str(path))


def test_column_is_found_without_case_and_metadata(make_features):
    columns = {"Metadata_Plate": np.array(list("ppqq")), "Well": np.array(list("xyxy"))}
    features = make_features(np.full(4, "a"), np.zeros((4, 1, 1)), columns=columns)
    assert sample_groups(features, "plate").tolist() == sample_groups(features, "Metadata_Plate").tolist()
    assert sample_groups(features, "plate+well").tolist() == [0, 0, 0, 0]
