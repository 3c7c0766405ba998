"""Proposes the settings for a folder of images: ``cellfeat init``."""
