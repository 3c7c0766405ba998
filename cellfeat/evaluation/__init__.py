"""Heads evaluated on the same grouped folds: groups, folds, predictions, scores, comparisons."""
