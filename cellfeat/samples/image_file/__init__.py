"""One image file: read, its channels picked, and what it shows of itself beside its pixels."""
