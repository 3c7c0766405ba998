"""The labels table: its columns, missing values, spellings, and ids written in another way than the files."""
