"""A head to keep: fitted on all samples, its predictions for others, and its scores on held-out samples."""
