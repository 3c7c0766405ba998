"""Out-of-fold probabilities -> typed scores: overall, per class, calibration, prediction sets."""
