"""Saved heads: the bundle, its files, and what it keeps of the training samples."""
