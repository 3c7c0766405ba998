"""One extraction by many processes: a plan, shares of its parts, and the consolidation of all parts into one file."""
