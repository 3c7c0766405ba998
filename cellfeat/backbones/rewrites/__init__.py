"""Faster rewrites of loaded networks: ConvNeXt blocks, fused and 8-bit kernels of oneDNN, and folded batch norms.

Each function takes a loaded network and returns a new one; the original is not changed. Extraction tries them and uses
the fastest whose embeddings are close enough to those of the original (`cellfeat.extraction.forward.implementations`).
"""
