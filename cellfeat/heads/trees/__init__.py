"""Gradient-boosted trees, and the check of their saved text."""
