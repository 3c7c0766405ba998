"""Formats of microscopes that libraries of their own read, by path: OME-Zarr, ND2, CZI and LIF, each an extra."""
