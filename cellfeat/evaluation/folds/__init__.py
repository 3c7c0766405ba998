"""Folds: drawn, with groups kept together, or given."""
