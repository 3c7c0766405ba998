"""The store on rows of any shape, with any reasons and names, written in pieces: what goes in comes out."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    load_features,
    no_intensities,
    no_properties,
    read_embeddings,
    read_table,
    verify_features,
)

# UTF-8 has no lone surrogates; everything else, NULs at the end included, is kept.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["\0", "a\0", "x" * 500])


@st.composite
def runs(draw: st.DrawFn) -> tuple[RunHeader, Rows, SampleTable]:
    """A run, all its rows and their table."""
    n, n_views, dim = draw(st.integers(1, 12)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    header = RunHeader({"passes": ["planes"]}, "sha256:samples", {}, n, n_views, dim, part_size=draw(st.integers(1, 5)))
    # A run whose samples have all failed is not published.
    reasons = draw(st.dictionaries(st.integers(0, n - 1), TEXT, max_size=n - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    embeddings = rng.normal(size=(n, n_views, dim)).astype(np.float32)
    status = np.isin(np.arange(n), list(reasons)).astype(np.uint8)
    embeddings[status == 1] = np.nan
    digests = rng.integers(0, 256, (n, 32), dtype=np.uint8) * (1 - status)[:, None]
    texts = st.lists(TEXT, min_size=n, max_size=n)
    table = SampleTable(draw(texts), draw(texts), draw(texts), draw(st.dictionaries(TEXT, texts, max_size=3)))
    return header, Rows(0, embeddings, status, digests, no_properties(n), no_intensities(n), reasons), table


@settings(max_examples=30, deadline=None)
@given(runs(), st.data())
@pytest.mark.slow
def test_whatever_is_written_in_parts_is_read_back_whole_and_by_any_rows(
    run: tuple[RunHeader, Rows, SampleTable], data: st.DataObject
) -> None:
    header, rows, table = run
    with TemporaryDirectory() as folder:
        output = Path(folder) / "cells.h5"
        for part in data.draw(st.permutations(header.part_rows())):
            PartStore(output, header).write(rows.cut(part))  # each time as the next run would find it
        PartStore(output, header).consolidate(table, {})
        verify_features(output)
        features = load_features(output)
        wanted = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1)))
        np.testing.assert_array_equal(read_embeddings(output, wanted), rows.embeddings[wanted])
        assert read_table(output) == table
    np.testing.assert_array_equal(features.embeddings, rows.embeddings)
    np.testing.assert_array_equal(features.samples.status, rows.status)
    assert features.samples.failures == rows.failures
