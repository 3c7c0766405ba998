"""Groups of samples that stay together in one fold, and their names."""
