"""Thumbnails of the samples of a feature file, and their images in full, to look at them."""

from cellfeat.thumbnails.crops import crop
from cellfeat.thumbnails.kept import Thumbnails, find_thumbnails
from cellfeat.thumbnails.making import BlockMaker, make_block, make_thumbnails

__all__ = ["BlockMaker", "Thumbnails", "crop", "find_thumbnails", "make_block", "make_thumbnails"]
