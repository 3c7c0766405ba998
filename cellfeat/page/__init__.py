"""The page: one HTML file or a folder in which a person looks at the cells behind the numbers."""
