"""Names by which other programs know columns: positions, plates, wells, sites, features."""
