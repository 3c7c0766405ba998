"""One head on one fold: fitted, or its predictions taken from the cache."""
