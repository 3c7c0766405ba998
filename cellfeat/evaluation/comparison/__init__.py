"""Heads compared: on the same folds, on several features, over repeated folds, with each plate left out."""
