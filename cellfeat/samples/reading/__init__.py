"""Samples read into arrays: of files, fields or objects, in this process or by others."""
