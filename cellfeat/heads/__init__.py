"""Stage 2: the classifiers that are trained on embeddings, one file a head, and the bundle that saves one."""
