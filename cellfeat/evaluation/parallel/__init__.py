"""Independent pieces of an evaluation, computed one after another, by processes, or on a Ray cluster."""
