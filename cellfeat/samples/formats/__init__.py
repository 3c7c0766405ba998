"""Decoding of image files: PNG, JPEG, TIFF and BMP."""
