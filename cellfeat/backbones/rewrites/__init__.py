"""Faster rewrites of loaded networks: ConvNeXt blocks, kernels of oneDNN, folded batch norms, and OpenVINO.

Each function takes a loaded network and returns a new one; the original is not changed. Extraction tries them and uses
the fastest whose embeddings are close enough to those of the original (`cellfeat.extraction.forward.implementations`).
"""
