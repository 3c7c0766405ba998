"""Doors to other tools: numbers and tables that others made, and files that others read."""
