"""Scores, confidence intervals, tests, calibration and conformal thresholds: arrays in, numbers out."""
