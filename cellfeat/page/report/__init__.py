"""The report of a page: its sentences, numbers and tables, from results that were read."""
