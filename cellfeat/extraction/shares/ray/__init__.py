"""Make the parts of an extraction on a Ray cluster; the only home of ray in extraction."""
