"""Fixtures of the tests in this folder."""

from tests.feature_fixtures import (  # noqa: F401, pytest finds fixtures by name
    comparison,
    failing_head,
    hostile,
    labelled,
    make_clusters,
    make_features,
    with_pictures,
)
