"""Speaks HTTP. Knows no Dagster and no SQL."""
