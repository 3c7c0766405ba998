"""Logistic regression: the head, its solver and the choice of its penalty."""
