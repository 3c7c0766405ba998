"""Folders of results: their files, the samples that they are of, and reading them back."""
