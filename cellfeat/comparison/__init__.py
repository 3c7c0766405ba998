"""Heads compared on the same grouped folds: splits, scores, the comparison and its report."""
