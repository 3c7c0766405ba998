"""A word finds the column that it means, and no other."""

import pytest

from cellfeat.samples.column_names.words import column_meant

COLUMNS = ["Metadata_Plate", "Well", "well_", "Metadata_Cell_Line"]


@pytest.mark.parametrize(
    ("word", "column"),
    [("plate", "Metadata_Plate"), ("PLATE", "Metadata_Plate"), ("Well", "Well"), ("well", "well"), ("donor", "donor")],
)
def test_word_finds_the_only_column_that_is_called_so(word, column):
    assert column_meant(word, COLUMNS) == column
