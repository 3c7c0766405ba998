"""One head over all folds, several heads one after another, and what is reported meanwhile."""
