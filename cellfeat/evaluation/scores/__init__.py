"""The scores of a head and the differences between heads, typed and frozen."""
