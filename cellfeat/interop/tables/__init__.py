"""Feature tables that exist already: CSV, Parquet, NumPy, AnnData and other HDF5 become feature files."""
