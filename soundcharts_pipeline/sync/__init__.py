"""Use cases: worklist, fetch, save, report. Knows no Dagster, no SQL text and no URLs."""
