"""Columns standardised or transformed before a head: moments, transforms, robust scaling, standards of plates."""
