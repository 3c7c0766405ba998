"""The frozen networks: what there is, their weights, and the preprocessing that the weights were trained with."""
