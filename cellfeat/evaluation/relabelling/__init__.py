"""Labels in place of those of a feature file: a table of labels, or changes by a person and what they do to scores."""
