"""Fixtures of the tests in this folder."""

from tests.object_stores import bucket, faulty, s3_server  # noqa: F401, pytest finds fixtures by name
