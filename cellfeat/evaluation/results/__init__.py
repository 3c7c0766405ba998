"""What an evaluation returns: the result of each head and their comparison, with tables and figures."""
