"""Fixtures of the tests in this folder."""

from tests.feature_fixtures import (  # noqa: F401, pytest finds fixtures by name
    bundle,
    comparison,
    failing_head,
    held_out,
    hostile,
    labelled,
    make_clusters,
    make_features,
    samples,
    with_pictures,
)
