"""The frozen networks: their table, their weights, and the preprocessing that the weights were trained with."""
