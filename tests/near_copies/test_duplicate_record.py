import json
from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import SplitError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.groups.sample_groups import sample_groups
from cellfeat.near_copies.duplicate_record import audited_groups, audited_path, save_audited
from cellfeat.records import seal
from cellfeat.reporting.terminal.comparison import headline
from tests.feature_fixtures import SMALL, with_samples


@pytest.fixture
def features(make_clusters, tmp_path):
    return replace(make_clusters(), path=tmp_path / "cells.h5")


@pytest.fixture
def pairs(features):
    """Samples 0 and 1, 2 and 3, and so on."""
    return np.array([f"pair{row // 2}" for row in range(len(features))])


def test_recorded_duplicates_are_kept_together(features, pairs):
    assert len(set(sample_groups(features))) == 180
    assert save_audited(features, pairs).name == "cells.audit.json"
    assert audited_groups(features).tolist() == pairs.tolist()
    assert len(set(sample_groups(features))) == 90
    assert len(set(sample_groups(features, "copies"))) == 180
    assert len(set(sample_groups(features, "none"))) == 180


def test_record_is_joined_with_a_column_and_ignored_for_a_table(features, pairs, tmp_path):
    save_audited(features, pairs)
    plates = np.array([f"plate{row // 20}" for row in range(1, 181)])
    with_plates = with_samples(features, columns={"plate": plates})
    assert len(set(sample_groups(with_plates, "plate+near-copies"))) == 1  # each plate begins within a pair
    for without in ("plate", "plate+copies"):
        said = []
        assert len(set(sample_groups(with_plates, without, say=said.append))) == 10
        assert any("plate+near-copies" in line or "plate+copies+near-copies" in line for line in said)
    assert len(set(sample_groups(with_plates, "near-copies"))) == 90
    table = tmp_path / "groups.csv"
    rows = [f"{name},{name}" for name in features.samples.ids]
    table.write_text("\n".join(["sample_id,group", *rows]))
    assert len(set(sample_groups(features, str(table)))) == 180


@pytest.mark.parametrize("changed", ["digests", "ids"])
def test_record_of_other_samples_is_ignored(features, pairs, changed):
    save_audited(features, pairs)
    values = getattr(features.samples, changed).copy()
    values[0] = "other"
    assert audited_groups(with_samples(features, **{changed: values})) is None


def test_too_few_groups_with_near_copies_suggest_ignoring_the_record(features):
    save_audited(features, np.full(len(features), "one"))
    with pytest.raises(SplitError, match=r"cells\.audit\.json.*--groups copies"):
        compare(features, ["dummy"], design=SMALL)
    assert compare(features, ["dummy"], design=replace(SMALL, groups="copies")).is_complete


def test_headline_says_whether_near_copies_were_searched_for(features, pairs):
    def said(groups="auto"):
        return headline(compare(features, ["dummy"], design=replace(SMALL, groups=groups)))

    assert "cellfeat audit" in said()
    save_audited(features, pairs)
    assert "90 groups" in said()
    assert "near copies kept together" in said()
    assert "near" not in said("none")


SEALED = json.dumps(seal({"format": 2, "samples": "", "group": []}))


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"format": 1}', SEALED, SEALED.replace("2", "3", 1)])
def test_record_that_cannot_be_read_is_an_error(features, text):
    audited_path(features.path).write_text(text)
    with pytest.raises(SplitError, match=r"cells\.audit\.json.*audit` again"):
        sample_groups(features)
