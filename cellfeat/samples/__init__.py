"""What goes in: the table of samples, and the pixels of each."""
