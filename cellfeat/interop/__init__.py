"""Exchange with other programs: their feature tables are imported, features and results are exported."""
