"""A saved head on other samples: predictions, and scores on held-out samples."""
