"""A page on disk: its two forms, written and read again."""
