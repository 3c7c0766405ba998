"""Heads fitted on growing parts of the training samples."""
