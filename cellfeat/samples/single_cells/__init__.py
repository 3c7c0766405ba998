"""Layout ``h5sc``: each cell of scPortrait's files is a sample."""
