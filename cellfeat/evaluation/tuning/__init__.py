"""Settings of a head, chosen inside the training part of each fold."""
