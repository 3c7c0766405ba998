"""What a person or another program reads: files, terminal output and figures."""
