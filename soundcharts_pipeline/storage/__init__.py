"""Speaks SQL. Knows no HTTP and no Dagster."""
