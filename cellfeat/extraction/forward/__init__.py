"""The forward: batches of decoded samples go through the backbone on a device and become embeddings."""
