"""Files of tables: text of any delimiter and encoding, Excel and Parquet, read as text."""
