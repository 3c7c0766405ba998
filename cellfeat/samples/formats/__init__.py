"""Decoding of image files: PNG, JPEG and TIFF."""
