import numpy as np
import pytest

from cellfeat.auditing.confounding import confounded
from cellfeat.extraction.store import Properties, no_properties
from tests.feature_fixtures import with_samples


def details(make_features, label, **columns):
    return list(confounded(make_features(label, np.zeros((len(label), 1, 1)), columns=columns).samples))


@pytest.mark.parametrize(("n_elsewhere", "danger"), [(0, "a and site cannot be told apart"), (30, "by site alone")])
def test_only_classes_that_share_nothing_cannot_be_told_apart(make_features, n_elsewhere, danger):
    label, site = np.repeat(["a", "b"], 100), np.repeat("A", 200)
    site[100 + n_elsewhere :] = "B"
    assert danger in details(make_features, label, site=site)[0]


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


@pytest.mark.parametrize(("n_groups", "told"), [(12, 0), (4, 1)])
def test_groups_that_predict_the_class_are_told_of_few_groups_only(make_features, n_groups, told):
    group = np.arange(120) % n_groups
    label = np.array(["a", "b"])[group % 2]
    features = make_features(label, np.zeros((120, 1, 1)))
    found = list(confounded(with_samples(features, groups=group.astype(str)).samples))
    assert sum("Cramér" in detail for detail in found) == told


def test_column_that_predicts_the_class_is_named(make_features):
    label, plate = np.repeat(["a", "b"], 60), np.array([f"p{i % 4}" for i in range(120)])
    plate[:60] = "p9"
    *_, association = details(make_features, label, plate=plate)
    assert "plate" in association
    assert "Cramér's V 0.99" in association


def test_column_of_single_samples_groups_nothing(make_features):
    label = np.repeat(["a", "b"], 60)
    assert details(make_features, label, serial=np.array([f"n{i}" for i in range(120)])) == []


def of_files(make_features, label, **properties):
    """What is found in samples whose files have these properties; the others are equal in all."""
    records = no_properties(len(label))
    plain = {"dtype": "uint8", "bits_stated": "8", "bits_used": 8, "height": 64, "width": 64, "file_format": "png"}
    for name, values in (plain | properties).items():
        records[name] = values
    features = make_features(label, np.zeros((len(label), 1, 1)))
    return list(confounded(with_samples(features, properties=Properties(records)).samples))


TWO = np.repeat(["A", "B"], 25)
IS_B = TWO == "B"


@pytest.mark.parametrize(
    ("properties", "nouns"),
    [
        ({"dtype": np.where(IS_B, "uint16", "uint8"), "bits_stated": np.where(IS_B, "16", "8")}, ("type uint16",)),
        ({"dtype": "uint16", "bits_stated": np.where(IS_B, "12", "16")}, ("type uint16 of 12 bits",)),
        ({"dtype": "uint16", "bits_stated": "16", "bits_used": np.where(IS_B, 12, 16)}, ("bits used 12",)),
        ({"file_format": np.where(IS_B, "jpeg", "png")}, ("file format jpeg",)),
        ({"file_format": np.where(IS_B, "tiff+png", "png")}, ("file format tiff+png",)),
        ({"height": np.where(IS_B, 48, 64)}, ("size 48 x 64",)),
    ],
    ids=["type", "bits stated", "bits used", "format", "formats", "size"],
)
def test_class_of_other_files_is_confounded(make_features, properties, nouns):
    found = of_files(make_features, TWO, **properties)

    assert any(f"100% of B have {noun}" in detail for noun in nouns for detail in found)


def test_files_that_are_alike_confound_nothing(make_features):
    assert of_files(make_features, TWO) == []


def test_bits_used_of_eight_bits_are_brightness(make_features):
    assert of_files(make_features, TWO, bits_used=np.where(IS_B, 7, 8)) == []


def test_properties_of_failed_samples_do_not_count(make_features):
    """A failed sample has no type and no size: an empty value is no property."""
    failed = np.arange(50) % 5 == 0
    found = of_files(
        make_features,
        TWO,
        dtype=np.where(failed & IS_B, "", "uint8"),
        file_format=np.where(failed & IS_B, "", "png"),
        height=np.where(failed & IS_B, 0, 64),
        width=np.where(failed & IS_B, 0, 64),
    )

    assert found == []


class TestSizes:
    """Crops have many sizes, and those of a class may be larger."""

    def sizes(self, n_classes, shift, n=400, seed=0):
        """Labels, and sides of crops whose logarithms differ by `shift` deviations from class to class."""
        rng = np.random.default_rng(seed)
        number = np.arange(n) % n_classes
        return number.astype(str), np.rint(64 * np.exp(0.2 * (rng.normal(size=n) + shift * number))).astype(int)

    @pytest.mark.parametrize("n_classes", [2, 3, 5])
    def test_size_that_tells_three_in_four_is_found(self, make_features, n_classes):
        label, side = self.sizes(n_classes, 1.36)  # the middle between two classes then tells 75 % of them

        (found,) = of_files(make_features, label, height=side, width=side)

        assert "size predicts the class" in found
        assert f"for {n_classes - 1}" in found

    def test_one_side_alone_is_found(self, make_features):
        label, side = self.sizes(2, 1.36)

        (found,) = of_files(make_features, label, height=side, width=np.random.default_rng(1).permutation(side))

        assert found.startswith("height predicts")

    def test_class_between_the_sizes_of_another_is_found(self, make_features):
        rng = np.random.default_rng(0)
        label = np.repeat(["A", "B"], 100)
        side = np.concatenate([rng.integers(60, 70, 100), rng.choice([40, 90], 100) + rng.integers(0, 10, 100)])

        (found,) = of_files(make_features, label, height=side, width=side)

        assert found.startswith("size, in 5 ranges, predicts")

    @pytest.mark.parametrize("seed", range(20))
    def test_sizes_of_no_class_are_not_told(self, make_features, seed):
        label, side = self.sizes(3, 0, n=60, seed=seed)

        assert of_files(make_features, label, height=side, width=side) == []

    def test_a_small_difference_is_not_told(self, make_features):
        label, side = self.sizes(2, 0.4)

        assert of_files(make_features, label, height=side, width=side) == []
