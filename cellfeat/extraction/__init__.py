"""Stage 1: images through the frozen backbone, once, into a feature file."""
