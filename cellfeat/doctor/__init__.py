"""What is installed and how this machine computes, with a test of every step: ``cellfeat doctor``."""
