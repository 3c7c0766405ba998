"""Fixtures of the tests in this folder."""

from tests.feature_fixtures import comparison, make_clusters, samples  # noqa: F401, pytest finds fixtures by name
