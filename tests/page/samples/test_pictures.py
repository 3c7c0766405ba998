import pytest

from cellfeat.page.samples.pictures import pictures_of
from tests.feature_fixtures import build_clusters

pytestmark = pytest.mark.usefixtures("own_folder")


def test_missing_pictures_say_why_and_what_to_do():
    assert "extract" in pictures_of(None, "").note
    assert "cellfeat view x" in pictures_of(build_clusters(n=5), "cellfeat view x").note


def test_table_has_no_pictures():
    from cellfeat.extraction.store import Features

    table = Features.from_arrays([[1.0, 2.0], [3.0, 4.0]], ids=["a", "b"])
    assert "table" in pictures_of(table, "").note
    assert pictures_of(table, "").thumbnails is None
