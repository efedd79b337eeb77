"""The warehouse, on both databases."""
