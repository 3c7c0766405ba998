"""Simple heads to compare others with: votes of nearest neighbours, and class frequencies."""
