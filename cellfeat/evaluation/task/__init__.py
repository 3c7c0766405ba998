"""The task that all heads share: samples with labels, groups, embeddings and folds, and what a result says of them."""
