"""Labels that a person changed: the table of changes, and what the changes do to the scores."""
