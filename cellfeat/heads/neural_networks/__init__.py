"""Heads that are small neural networks, their training loop and the choice of its length."""
