"""Which pixel values become black and white, and advice about it."""
